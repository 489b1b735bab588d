"""Patches of MPDs: the origin's own, made to fit what this proxy made of the MPD.

The proxy edits the top of an MPD and references below it, never the elements that a patch selects;
so a patch fits when it touches nothing but times, Periods and its own next location, and what it
brings is edited as the MPD was. Any other one is refused as gone, and players fetch the MPD.
Source: DASH-M15; dash.md P1..P6; ISO/IEC 23009-1:2022 section 5.15.
"""

import re

from native.holes import Template

from .errors import ManifestError
from .mpd import Document
from .mpd_edit import Editor, applied
from .policy import Policy
from .urls import Origin, Url

NEXT = re.compile(r"/MPD/PatchLocation\[1\]")
SAFE = re.compile(r"/MPD/(?:@[A-Za-z]+|Period\[(?:@id=(?:'[^']*'|\"[^\"]*\")|[0-9]+)\](?:/.*)?)")
GONE = 410


def compile_patch(data: bytes, url: Url, origin: Origin, policy: Policy) -> Template:
    """A patch fetched from `url`, for the cohort of `policy`; ManifestError 410 if it is unsafe."""
    document = Document(data)
    if document.root.name != "Patch":
        raise ManifestError("not_a_patch", "the root element is not Patch")
    if b"BaseURL" in data:
        raise ManifestError("patch_unsafe", "it brings a BaseURL", status=GONE)
    editor = Editor(document, url, origin, policy)
    for operation in document.root.children:
        selected = document.attribute(operation, b"sel") or ""
        if NEXT.fullmatch(selected):
            editor.locations(operation, "PatchLocation")
        elif not SAFE.fullmatch(selected):
            raise ManifestError("patch_unsafe", "it reaches what the proxy edits", status=GONE)
    editor.inside()
    return Template(applied(data, editor.edits))
