"""What a viewer's first request chose, signed, as a segment of every later URL: no store is asked.

`s:{payload}.{mac}`: base64url of a JSON array, the fields of `Chosen` whose end is left out where
nothing is chosen, and of the first 16 bytes of its HMAC-SHA256. Equal choices make equal segments
on every node, so viewers share bytes (MP-41, MP-45).
Filters bind here because DASH forbids changing sets within a session (DASH-M2, MP-38).
"""

import base64
import hashlib
import hmac
import re
from typing import NamedTuple

import msgspec

from .errors import FilterError, SessionError
from .rulebook import Ruleset
from .selection import AudioRule, Span, TextRule, VideoRule

MARK = "s:"
MAX_CHARS = 1024  # of a filter (MP-1)
MAC_BYTES = 16
MARK_BYTES = 9
SEGMENT = re.compile(r"s:([A-Za-z0-9_-]{1,2048})\.([A-Za-z0-9_-]{22})")
TERM = re.compile(r"([a-z_]+)\.([a-z_]+)=([^;=]+)")


class Chosen(NamedTuple):
    """The choices of a session; the filter in its canonical spelling. `joined_ms`, since 1970: the
    media that a viewer of something live came in at, where a bumper stands before it. `mark`: what
    the pattern of watermarks is made from. `start` and `end` of a window are as the origin takes
    them; `window_s` is what is left of something live; `drm` names systems, `data` values by id.
    """

    cohort: str = ""
    filter: str = ""
    joined_ms: int = 0
    mark: str = ""
    start: str = ""
    end: str = ""
    window_s: int = 0
    drm: tuple[str, ...] = ()
    data: tuple[tuple[str, str], ...] = ()


class Overlay(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The rules that a viewer may set."""

    video: VideoRule | None = None
    audio: AudioRule | None = None
    subtitles: TextRule | None = None


class Sessions:
    """Writes and reads sessions under one secret that all nodes share."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def sign(self, chosen: Chosen) -> str:
        """The path segment of a session."""
        size = max([at + 1 for at, one in enumerate(chosen) if one], default=0)
        payload = _text(msgspec.json.encode(chosen[: max(2, size)]))
        return f"{MARK}{payload}.{self._mac(payload)}"

    def read(self, segment: str) -> Chosen:
        """SessionError for anything that was not signed here."""
        found = SEGMENT.fullmatch(segment)
        if not self._secret or found is None:
            raise SessionError("session_malformed", "not a session of this proxy")
        if not hmac.compare_digest(found[2], self._mac(found[1])):
            raise SessionError("session_signature", "the session's signature does not hold")
        payload = base64.urlsafe_b64decode(found[1] + "=" * (-len(found[1]) % 4))
        return msgspec.json.decode(payload, type=Chosen)

    def mark(self, token_id: str) -> str:
        """The mark of a viewer, told by the id of the first token; who holds the secret can find
        the token of a pattern again.
        """
        full = hmac.digest(self._secret, b"headwater mark\0" + token_id.encode(), hashlib.sha256)
        return _text(full[:MARK_BYTES])

    def pattern(self, mark: str) -> bytes:
        """256 bits, one for each segment in turn, that the mark does not give away (MP-21)."""
        return hmac.digest(self._secret, b"headwater pattern\0" + mark.encode(), hashlib.sha256)

    def _mac(self, payload: str) -> str:
        full = hmac.digest(self._secret, b"headwater session\0" + payload.encode(), hashlib.sha256)
        return _text(full[:MAC_BYTES])


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def canonical(text: str) -> str:
    """A filter in one spelling, so that equal filters share bytes (MP-2); FilterError 400."""
    if len(text) > MAX_CHARS:
        raise FilterError("filter_malformed", f"more than {MAX_CHARS:,} characters", status=400)
    terms = sorted(term.strip().lower() for term in text.split(";") if term.strip())
    overlay(";".join(terms))
    return ";".join(terms)


def overlay(text: str) -> Overlay:
    """`video.height=..720;audio.languages=de|en`: the names of the rule file, lists with `|`."""
    made: dict[str, dict[str, object]] = {}
    for term in filter(None, text.split(";")):
        found = TERM.fullmatch(term)
        if found is None or found[2] in made.get(found[1], {}):
            raise FilterError("filter_malformed", f"{term!r} is no term, or repeats", status=400)
        made.setdefault(found[1], {})[found[2]] = _value(found[1], found[2], found[3])
    try:
        return msgspec.convert(made, Overlay, dec_hook=_span)
    except msgspec.ValidationError as error:
        raise FilterError("filter_malformed", str(error), status=400) from None


def _value(kind: str, name: str, text: str) -> object:
    if name in ("keep", "trick_play"):
        return {"true": True, "false": False}.get(text, text)
    if name in ("codecs", "languages", "without_roles"):
        return text.split("|")
    return text.upper().split("|") if name == "dynamic_range" else text


def _span(kind: type, value: object) -> object:
    if kind is Span and isinstance(value, str):
        return Span.parse(value)
    raise ValueError("expected a range such as `240..720`")


def narrowed(rules: Ruleset | None, chosen: Overlay) -> Ruleset:
    """A rule set with the viewer's choices in place of its own."""
    base = rules or Ruleset("")
    return msgspec.structs.replace(
        base,
        video=chosen.video or base.video,
        audio=chosen.audio or base.audio,
        subtitles=chosen.subtitles or base.subtitles,
    )
