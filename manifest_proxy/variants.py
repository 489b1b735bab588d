"""Segments whose A or B this proxy chooses, for templates that name what is still to come (MP-21).

A player asks here for what the MPD calls `7.m4s`, and is led to `a/7.m4s` or `b/7.m4s` at its CDN
by the bit that the number in the name picks, as in lists (hls_watermark). The name alone says the
number, so that nobody gets a segment of another bit by its URL.
"""

from native.http import Answer, Entity

from .asked import Medium
from .errors import SessionError
from .hls_watermark import bit, within
from .mpd_segments import number_named


def variant(medium: Medium, token: str) -> Answer | None:
    """None for what has no variants; SessionError for a viewer without a mark."""
    rule, number = medium.rules and medium.rules.watermark, number_named(medium.path)
    if not rule or number is None or not rule.covers(medium.found.path):
        return None
    if not medium.pattern:
        raise SessionError("mark_nobody", "the session has no mark")
    folder = f"{rule.folders[bit(medium.pattern, number)]}/"
    return led(medium, token, within(medium.path.encode(), folder.encode()).decode())


def led(medium: Medium, token: str, path: str) -> Answer:
    """To the CDN, with the token where the rules want it."""
    rules, url, query = medium.rules, medium.pathway.base_url, medium.found.query
    if token and (rules is None or rules.carrier == "path"):
        url += f"/cat:{token}"
    elif token:
        query = f"{query}&CAT={token}" if query else f"CAT={token}"
    return Entity(
        b"",
        content_type="text/plain",
        cache_control="no-store",
        headers=[("Location", f"{url}{path}?{query}" if query else url + path)],
        status=302,
        ranges=False,
    )
