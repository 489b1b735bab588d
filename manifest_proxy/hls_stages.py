"""A rule set applied to a playlist: bytes in, bytes out; lines that no rule touches keep theirs.

Source: manifest-proxy MP-1..MP-6; HLS-M27..M33.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import cast

from native.hls import Line, Playlist

from .errors import FilterError
from .hls import attribute, changed, read_line
from .hls_filter import filtered, ordered, with_defaults
from .hls_master import Entry, entries, joined
from .hls_pathways import VARIANT
from .hls_trim import windowed
from .rulebook import DrmRule, KeySystem, Ruleset, SessionData
from .tables import DRM_SYSTEMS

KEY, SESSION_KEY, SESSION_DATA = b"EXT-X-KEY", b"EXT-X-SESSION-KEY", b"EXT-X-SESSION-DATA"


def staged(data: bytes, rules: Ruleset) -> bytes:
    """The playlist as the rules want it; FilterError when they leave nothing to play."""
    playlist = Playlist(data)
    if VARIANT not in playlist.tags:
        if rules.window_s is not None:
            data = windowed(data, rules.window_s)
        if rules.drm and KEY in playlist.tags:
            data = _media(Playlist(data).lines(), rules.drm)
        return data
    master = entries(playlist.lines())
    master = filtered(master, rules) if rules.filters else master
    master = with_defaults(ordered(master, rules), rules)
    if rules.drm:
        master = [entry for entry in master if not _is_foreign(entry.tag, rules.drm)]
        master = [replace(entry, tag=_moved(entry.tag, rules.drm)) for entry in master]
    told = tuple(one for one in rules.session_data if one.value)
    return joined(_with_session_data(master, told))


def system_of(line: Line) -> str | None:
    """The DRM system that a key tag speaks for; `identity` where the key itself is fetched."""
    spoken = (attribute(line, b"KEYFORMAT") or b"").decode("latin-1").lower()
    if spoken in ("", "identity"):
        return "identity"
    return next((name for name, forms in DRM_SYSTEMS.items() if spoken in forms), None)


def _is_foreign(line: Line, drm: DrmRule) -> bool:
    """A key of a system that is not wanted; a key of no known system stays."""
    if line.name not in (KEY, SESSION_KEY) or not drm.systems:
        return False
    system = system_of(line)
    return system not in (None, "identity", *drm.systems)


def _moved(line: Line, drm: DrmRule) -> Line:
    """A key's URI with another beginning, where the rule has one for its system."""
    uri = attribute(line, b"URI") if line.name in (KEY, SESSION_KEY) and drm.key_uris else None
    was, now = drm.key_uris.get(cast(KeySystem, system_of(line)), ("", "")) if uri else ("", "")
    if not uri or not was or not uri.startswith(was.encode()):
        return line
    return changed(line, {b"URI": b'"%b%b"' % (now.encode(), uri[len(was) :])})


def _media(lines: Iterable[Line], drm: DrmRule) -> bytes:
    """Of each run of keys those that are wanted; never none, or media would pass for clear."""
    kept: list[bytes] = []
    dropped = held = 0
    for line in lines:
        if line.name == KEY:
            foreign = _is_foreign(line, drm)
            dropped, held = dropped + foreign, held + (not foreign)
            if foreign:
                continue
            line = _moved(line, drm)
        elif dropped or held:
            if not held:
                raise FilterError("drm_empty", "no wanted DRM system has a key here")
            dropped = held = 0
        kept.append(line.raw)
    return b"".join(kept)


def _with_session_data(master: list[Entry], added: tuple[SessionData, ...]) -> list[Entry]:
    """Tags behind the first line, in place of those with their id and language (HLS-M33)."""
    if not added:
        return master
    named = {(data.id.encode(), data.language.encode()) for data in added}
    kept = [
        entry
        for entry in master
        if entry.tag.name != SESSION_DATA
        or (entry.get(b"DATA-ID"), entry.get(b"LANGUAGE")) not in named
    ]
    ending = kept[0].tag.ending or b"\n"
    return [kept[0], *(Entry(_session_data(data, ending)) for data in added), *kept[1:]]


def _session_data(data: SessionData, ending: bytes) -> Line:
    text = f'#EXT-X-SESSION-DATA:DATA-ID="{data.id}",VALUE="{data.value}"'
    if data.language:
        text += f',LANGUAGE="{data.language}"'
    return read_line(text.encode() + ending)
