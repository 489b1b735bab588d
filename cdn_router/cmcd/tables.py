"""The reserved keys of CMCD as data; every other view of them is derived here.

Source: CTA-5004-B section 4.3 Table 1, CTA-5004 (v1) section 3; specs/cmcd.md section 3.
"""

from dataclasses import dataclass
from enum import StrEnum

LATEST = 2
MAX_CUSTOM_CHARS = 64  # 4.1 item 5: of the name, and of the text
MAX_TEXT_CHARS = 2048  # ours: `url`, `smrt` and the like in one record
MAX_LIST = 64  # ours
GRID = 100  # ms and kbps


class Mode(StrEnum):
    REQUEST = "request"
    EVENT = "event"


class Kind(StrEnum):
    INTEGER = "integer"
    DECIMAL = "decimal"
    BOOLEAN = "boolean"
    STRING = "string"
    TOKEN = "token"
    INTEGERS = "integers"  # inner list with object types as parameters (4.1 item 14)
    STRINGS = "strings"


class Header(StrEnum):
    """The four headers, by how often their keys change (3.1)."""

    REQUEST = "CMCD-Request"
    OBJECT = "CMCD-Object"
    STATUS = "CMCD-Status"
    SESSION = "CMCD-Session"


@dataclass(frozen=True, slots=True)
class Key:
    """`v1` is the kind in v1, None when v1 has no such key; `header` None: event mode only."""

    name: str
    kind: Kind
    header: Header | None
    v1: Kind | None
    section: str
    max_chars: int = MAX_TEXT_CHARS
    grid: int = 1  # values are multiples of it (CM-24)

    @property
    def event_only(self) -> bool:
        return self.header is None


_I, _D, _B, _S, _T, _IS, _SS = Kind
_REQUEST, _OBJECT, _STATUS, _SESSION = Header

KEYS = {
    key.name: key
    for key in (
        Key("ab", _IS, _OBJECT, None, "aggregate encoded bitrate, kbps"),
        Key("bg", _B, _STATUS, None, "backgrounded"),
        Key("bl", _IS, _REQUEST, _I, "buffer length, ms", grid=GRID),
        Key("br", _IS, _OBJECT, _I, "encoded bitrate, kbps"),
        Key("bs", _B, _STATUS, _B, "buffer starvation"),
        Key("bsa", _IS, _STATUS, None, "buffer starvation absolute"),
        Key("bsd", _IS, _STATUS, None, "buffer starvation duration, ms"),
        Key("bsda", _IS, _STATUS, None, "buffer starvation duration absolute, ms"),
        Key("cen", _S, None, None, "custom event name", max_chars=64),
        Key("cid", _S, _SESSION, _S, "content ID", max_chars=128),
        Key("cmsdd", _S, None, None, "CMSD dynamic header"),
        Key("cmsds", _S, None, None, "CMSD static header"),
        Key("cs", _S, _REQUEST, None, "content signature"),
        Key("d", _I, _OBJECT, _I, "object duration, ms"),
        Key("dfa", _I, _REQUEST, None, "dropped frames absolute"),
        Key("dl", _I, _REQUEST, _I, "deadline, ms", grid=GRID),
        Key("e", _T, None, None, "event"),
        Key("ec", _SS, _STATUS, None, "player error code"),
        Key("h", _S, None, None, "hostname", max_chars=128),
        Key("lab", _IS, _OBJECT, None, "lowest aggregated encoded bitrate, kbps"),
        Key("lb", _IS, _OBJECT, None, "lowest encoded bitrate, kbps"),
        Key("ltc", _I, _REQUEST, None, "live stream latency, ms"),
        Key("msd", _I, _SESSION, None, "media start delay, ms"),
        Key("mtp", _IS, _REQUEST, _I, "measured throughput, kbps", grid=GRID),
        Key("nor", _SS, _REQUEST, _S, "next object request"),
        Key("nr", _B, _STATUS, None, "non rendered"),
        Key("nrr", _S, _REQUEST, _S, "next range request, v1 only"),
        Key("ot", _T, _OBJECT, _T, "object type"),
        Key("pb", _IS, _REQUEST, None, "playhead bitrate, kbps"),
        Key("pr", _D, _STATUS, _D, "playback rate"),
        Key("pt", _I, _STATUS, None, "playhead time, ms"),
        Key("rc", _I, None, None, "response code"),
        Key("rtp", _I, _STATUS, _I, "requested maximum throughput, kbps", grid=GRID),
        Key("sf", _T, _SESSION, _T, "streaming format"),
        Key("sid", _S, _SESSION, _S, "session ID", max_chars=64),
        Key("smrt", _S, None, None, "SMRT-Data header"),
        Key("sn", _I, _REQUEST, None, "sequence number"),
        Key("st", _T, _SESSION, _T, "stream type"),
        Key("sta", _T, _REQUEST, None, "state"),
        Key("su", _B, _REQUEST, _B, "startup"),
        Key("tab", _IS, _OBJECT, None, "top aggregated encoded bitrate, kbps"),
        Key("tb", _IS, _OBJECT, _I, "top encoded bitrate, kbps"),
        Key("tbl", _IS, _REQUEST, None, "target buffer length, ms", grid=GRID),
        Key("tpb", _IS, _OBJECT, None, "top playable bitrate, kbps"),
        Key("ts", _I, None, None, "timestamp, ms since 1970"),
        Key("ttfb", _I, None, None, "time to first byte, ms"),
        Key("ttfbb", _I, None, None, "time to first body byte, ms"),
        Key("ttlb", _I, None, None, "time to last byte, ms"),
        Key("url", _S, None, None, "request URL"),
        Key("v", _I, _SESSION, _I, "version"),
    )
}
V1_ONLY = frozenset({"nrr"})


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# The words of token keys (Table 1).
TOKENS = {
    "e": _words("abs abe ae as b bc c ce e h m pc pe pr ps rr sk t um"),
    "ot": _words("m a v av i c tt k o"),
    "sf": _words("d h e s o"),
    "st": _words("v l ll"),
    "sta": _words("s p k r a e f q d"),
}
LISTED_ONLY = {"sta": frozenset("w")}  # in the list of words, defined nowhere: read, not used

# Texts that a script writes for a value it does not have (3: the key must be left out).
NOTHING = frozenset({"", "nan", "none", "null", "undefined"})

# What an event must carry beside e, ts and v, or nothing (CM-20)...
REQUIRED = {"ps": "sta", "e": "ec", "ce": "cen", "rr": "url"}
# ...and what of its own a key filter never removes.
SUBJECTS = REQUIRED | {"b": "bg", "bc": "br", "c": "cid", "h": "h", "pr": "pr"}
# What only the event of a response has.
RESPONSE_KEYS = _words("url rc ttfb ttfbb ttlb cmsdd cmsds smrt")

# The aggregate of a fact gives way to the fact (CM-23).
AGGREGATES = {"ab": "br", "lab": "lb", "tab": "tb"}
# Keys that only some object types have.
OBJECT_TYPES = {
    "d": _words("a v av tt c o"),
    "tpb": _words("a v av c"),
}
