"""Where a player finds the patch from an MPD of ours to the next.

Source: ISO/IEC 23009-1:2022 sections 5.3.1.2, 5.3.1.3; DASH-M15; dash.md P1, P5, P6.
"""

import re
from dataclasses import replace

from native.mpd import Element

from .mpd import Document, xml_text
from .mpd_history import HELD_S, published_ms
from .mpd_trim import Edit, replaced
from .policy import Policy
from .urls import Url

OWN_PATCH = re.compile(r"(.+\.mpd)~([0-9]{1,15})-([0-9a-f]{16})\.mpp")
BEFORE = ("ProgramInformation", "BaseURL", "Location")  # children of an MPD that precede it


def with_patches(data: bytes, url: Url, policy: Policy, digest: str) -> tuple[bytes, Policy]:
    """The MPD fetched from `url` with its PatchLocation, and the policy that leads it; `digest` is
    that of the rules, under which alone a patch can begin with this MPD. As they are where nothing
    is to come, the MPD has no id or no time, or Representations share a timeline: Shaka 5 would
    apply a patch of it once for each of them.
    """
    document, told_ms = Document(data), published_ms(data)
    root = document.root
    is_live = document.attribute(root, b"type") == "dynamic"
    named = document.attribute(root, b"id") and not document.prefix
    if not (policy.refresh_url and is_live and named and told_ms is not None):
        return data, policy
    if any(_shares(period) for period in root.named("Period")):
        return data, policy
    leaf = url.path[url.path.rfind(b"/") + 1 :]
    place = xml_text(b"%b~%d-%b.mpp%b" % (leaf, told_ms, digest.encode(), url.rest))
    text = b'<PatchLocation ttl="%d">%b</PatchLocation>\n' % (HELD_S, place)
    ours = [one.end for one in root.children if one.name in BEFORE]
    at = max(ours, default=root.inner_start)
    edits: list[Edit] = [(at, at, text)]
    for one in root.named("PatchLocation"):
        edits.append((one.start - len(document.indent(one)), one.end, b""))
    return replaced(data, edits), replace(policy, patches=True)


def _shares(period: Element) -> bool:
    sets = [one for one in period.named("AdaptationSet") if len(one.named("Representation")) > 1]
    return any(
        template.named("SegmentTimeline")
        for one in (period, *sets)
        for template in one.named("SegmentTemplate")
    )
