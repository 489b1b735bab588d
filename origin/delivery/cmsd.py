"""CMSD: what the origin tells CDNs and players about an object (CTA-5006; origin-http.md O24..O27).

Structured fields (RFC 9651): CMSD-Static is a dictionary that depends on the object alone, so that
two origins fed alike agree (O25); CMSD-Dynamic is a list to which each hop appends.
"""

from dataclasses import dataclass, fields
from typing import Literal
from urllib.parse import quote

STATIC = "CMSD-Static"
DYNAMIC = "CMSD-Dynamic"
PREFETCH = "CDN-Origin-Assist-Prefetch-Path"

ObjectType = Literal["m", "a", "v", "av", "i", "c", "tt", "k", "o"]
StreamFormat = Literal["d", "h", "s", "o"]
TOKENS = frozenset({"ot", "sf", "st"})
STRINGS = frozenset({"n", "nor", "nrr"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Static:
    """Keys of CMSD-Static; None or False leaves a key out.

    `at`: ms since 1970 when the object became available, `br`: kbit/s, `d`: ms of media, `ht`: ms
    that the answer was held, `n`: name of the origin, `nor`: next object, relative to this one.
    """

    at: int | None = None
    br: int | None = None
    d: int | None = None
    ht: int | None = None
    n: str | None = None
    nor: str | None = None
    nrr: str | None = None
    ot: ObjectType | None = None
    sf: StreamFormat | None = None
    st: Literal["v", "l"] | None = None
    su: bool = False

    def __str__(self) -> str:
        found = []
        for key in (field.name for field in fields(self)):
            value = getattr(self, key)
            if value is None or value is False:
                continue
            if value is True:
                found.append(key)
            elif key in TOKENS or isinstance(value, int):
                found.append(f"{key}={value}")
            else:
                found.append(f"{key}={_string(quote(value) if key == 'nor' else value)}")
        return ",".join(found)


def object_headers(static: Static, folder: str) -> list[tuple[str, str]]:
    """Fields of one object in `folder`; the prefetch path and `nor` name the same thing (O16)."""
    found = [(STATIC, str(static))]
    if static.nor is not None:
        found.append((PREFETCH, f"{folder}/{quote(static.nor)}"))
    return found


def hop(
    name: str,
    *,
    rd_ms: int | None = None,
    etp_kbps: int | None = None,
    rtt_ms: int | None = None,
    mb_kbps: int | None = None,
    duress: bool = False,
) -> str:
    """This hop's item of CMSD-Dynamic: name;etp;rtt;mb;rd;du."""
    numbers = {"etp": etp_kbps, "rtt": rtt_ms, "mb": mb_kbps, "rd": rd_ms}
    parameters = [f";{key}={value}" for key, value in numbers.items() if value is not None]
    return "".join([_string(name), *parameters, ";du" if duress else ""])


def _string(text: str) -> str:
    """sf-string: printable ASCII, quote and backslash escaped."""
    clean = "".join(c for c in text if " " <= c <= "~")
    return '"' + clean.replace("\\", "\\\\").replace('"', '\\"') + '"'
