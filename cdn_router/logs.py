"""Lines of CDN logs, of whatever CDN, as one shape (RT-1).

A line is a JSON object (Akamai DataStream 2, Fastly by its format) or has its values in the order
of a `#Fields:` directive (W3C Extended Log File Format, WD-logfile-960323; so do CloudFront's
standard logs). CloudFront's real-time lines come without one and have all fields in their order,
unless the sender names others. Names know no case, and `_` is `-`. CMCD is taken from where it was
logged: the headers, a set of its own, CloudFront's `cmcd-` fields, the query.

Sources: Akamai DataStream 2 "Data set parameters"; Amazon CloudFront Developer Guide "Real-time
logs"; Fastly "Custom log formats".
"""

import math
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple
from urllib.parse import unquote

import msgspec

from .cmcd.decode import HEADERS, decode, decode_headers, decode_query
from .cmcd.errors import CmcdError
from .cmcd.record import Data, Record, upgrade
from .cmcd.tables import KEYS, Kind

MAX_LINE_CHARS = 16_384
MAX_FIELDS = 256
MAX_BYTES = 1 << 40
MAX_TOOK_MS = 3_600_000
EPOCH_MS = 100_000_000_000  # a time above it is in ms, any other in s

# fmt: off
CLOUDFRONT = (
    "timestamp", "c-ip", "time-to-first-byte", "sc-status", "sc-bytes", "cs-method", "cs-protocol",
    "cs-host", "cs-uri-stem", "cs-bytes", "x-edge-location", "x-edge-request-id", "x-host-header",
    "time-taken", "cs-protocol-version", "c-ip-version", "cs-user-agent", "cs-referer", "cs-cookie",
    "cs-uri-query", "x-edge-response-result-type", "x-forwarded-for", "ssl-protocol", "ssl-cipher",
    "x-edge-result-type", "fle-encrypted-fields", "fle-status", "sc-content-type", "sc-content-len",
    "sc-range-start", "sc-range-end", "c-port", "x-edge-detailed-result-type", "c-country",
    "cs-accept-encoding", "cs-accept", "cache-behavior-path-pattern", "cs-headers",
    "cs-header-names", "cs-headers-count", "primary-distribution-id",
    "primary-distribution-dns-name", "origin-fbl", "origin-lbl", "asn", "cmcd-encoded-bitrate",
    "cmcd-buffer-length", "cmcd-buffer-starvation", "cmcd-content-id", "cmcd-object-duration",
    "cmcd-deadline", "cmcd-measured-throughput", "cmcd-next-object-request",
    "cmcd-next-range-request", "cmcd-object-type", "cmcd-playback-rate",
    "cmcd-requested-maximum-throughput", "cmcd-streaming-format", "cmcd-session-id",
    "cmcd-stream-type", "cmcd-startup", "cmcd-top-bitrate", "cmcd-version",
)
CLOUDFRONT_KEYS = {
    "cmcd-encoded-bitrate": "br", "cmcd-buffer-length": "bl", "cmcd-buffer-starvation": "bs",
    "cmcd-measured-throughput": "mtp", "cmcd-object-type": "ot", "cmcd-session-id": "sid",
    "cmcd-top-bitrate": "tb", "cmcd-version": "v",
}

# A fact, and under which names it is logged, the first that is there; factors make it ms or bytes.
TIME    = ("reqtimesec", "timestamp", "time-start", "time")
PEER    = ("cliip", "c-ip", "client-ip")
STATUS  = ("statuscode", "sc-status", "response-status", "status")
METHOD  = ("reqmethod", "cs-method", "request-method", "method")
COUNTRY = ("country", "c-country", "geo-country-code", "client-country-code")
NETWORK = ("asnum", "asn", "client-as-number")
SIZE    = (("totalbytes", 1), ("bytes", 1), ("sc-bytes", 1), ("response-body-size", 1),
           ("bytes-sent", 1))
FIRST   = (("turnaroundtimemsec", 1), ("time-to-first-byte", 1_000),
           ("time-to-first-byte-ms", 1))
SENDING = (("transfertimemsec", 1),)  # after the first byte
TOOK    = (("time-taken", 1_000), ("time-elapsed-ms", 1), ("time-elapsed-usec", 0.001),
           ("time-elapsed", 0.001))
SETS    = ("cmcd", "cs(cmcd)")
QUERIES = ("querystr", "cs-uri-query", "query", "url", "request-url")
# fmt: on

QUOTED = re.compile(r'"((?:[^"]|"")*)"|(\S+)')
COUNTRY_CODE = re.compile(r"[A-Z]{2}")
NOTHING = frozenset({"", "-", "null"})


class LineError(Exception):
    """What a line has that makes it useless, as a stable code."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Line(NamedTuple):
    """One answer of a CDN. What was not logged is 0, "", None, of CMCD an empty set."""

    at_ms: int
    peer: str
    status: int
    method: str
    size_bytes: int
    first_ms: int
    took_ms: int
    country: str
    asn: int | None
    data: Data

    @property
    def rate_kbps(self) -> int:
        """Its size over the time that sending took."""
        sending_ms = self.took_ms - self.first_ms
        return self.size_bytes * 8 // sending_ms if sending_ms > 0 else 0


class Reader:
    """Reads the lines of one body; directives in it hold for what follows them."""

    def __init__(self, names: Sequence[str] = CLOUDFRONT) -> None:
        self._names = tuple(map(_name, names[:MAX_FIELDS]))

    def read(self, text: str) -> Line | None:
        """The line, None for a directive; LineError for one that tells nothing."""
        if len(text) > MAX_LINE_CHARS:
            raise LineError("too_long")
        if text.startswith("#"):
            directive, _, rest = text.partition(":")
            if directive == "#Fields":
                self._names = tuple(map(_name, rest.split()[:MAX_FIELDS]))
            return None
        found = _object(text) if text.startswith("{") else self._columns(text)
        return _line({name: value for name, value in found.items() if value not in NOTHING})

    def _columns(self, text: str) -> dict[str, str]:
        if "\t" in text:
            values = text.split("\t")
        else:
            values = [quoted.replace('""', '"') or bare for quoted, bare in QUOTED.findall(text)]
        if len(values) != len(self._names):
            raise LineError("fields")
        return dict(zip(self._names, values, strict=True))


def _name(text: str) -> str:
    return text.strip().lower().replace("_", "-")


def _object(text: str) -> dict[str, str]:
    try:
        found = msgspec.json.decode(text)
    except (msgspec.MsgspecError, RecursionError, ValueError):
        raise LineError("json") from None
    if not isinstance(found, dict) or len(found) > MAX_FIELDS:
        raise LineError("json")
    return {
        _name(name): value if isinstance(value, str) else repr(value)
        for name, value in found.items()
        if isinstance(value, str | float | int) and not isinstance(value, bool)
    }


def _line(found: Mapping[str, str]) -> Line:
    status = int(_number(_first(found, STATUS), 999, -1))
    if status < 0:
        raise LineError("status")
    first_ms = _amount(found, FIRST, MAX_TOOK_MS)
    sending_ms = _amount(found, SENDING, MAX_TOOK_MS)
    country = _first(found, COUNTRY).upper()
    asn = int(_number(_first(found, NETWORK).upper().removeprefix("AS"), 2**32 - 1, -1))
    return Line(
        _at_ms(found),
        _first(found, PEER)[:64],
        status,
        _first(found, METHOD).upper()[:16],
        _amount(found, SIZE, MAX_BYTES),
        first_ms,
        _amount(found, TOOK, MAX_TOOK_MS) or (first_ms + sending_ms if sending_ms else 0),
        country if COUNTRY_CODE.fullmatch(country) else "",
        asn if asn >= 0 else None,
        _cmcd(found),
    )


def _first(found: Mapping[str, str], names: Sequence[str]) -> str:
    return next((found[name] for name in names if name in found), "")


def _amount(found: Mapping[str, str], names: Sequence[tuple[str, float]], most: int) -> int:
    """The first of the amounts that is there, in ms or bytes; 0 beyond `most`."""
    for name, factor in names:
        if name in found:
            return int(_number(found[name], most / factor, 0) * factor)
    return 0


def _number(text: str, most: float, default: float) -> float:
    try:
        number = float(text)
    except ValueError:
        return default
    return number if math.isfinite(number) and 0 <= number <= most else default


def _at_ms(found: Mapping[str, str]) -> int:
    """Epoch seconds or ms, ISO 8601, or date and time of UTC in two fields."""
    text = _first(found, TIME)
    if "date" in found:
        text = f"{found['date']}T{text}"
    number = _number(text, 1e15, -1)
    if number >= 0:
        return int(number if number > EPOCH_MS else number * 1000)
    try:
        at = datetime.fromisoformat(text)
        return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)
    except (ValueError, OverflowError):
        raise LineError("time") from None


def _cmcd(found: Mapping[str, str]) -> Data:
    """What the player said with its request; of a set that cannot be read nothing (CM-13)."""
    try:
        record = _record(found)
    except CmcdError:
        return {}
    return upgrade(record.data) if record.version == 1 else dict(record.data)


def _record(found: Mapping[str, str]) -> Record:
    headers = {
        header: unquote(value)
        for header in HEADERS
        if (value := found.get(header) or found.get(f"cs({header})"))
    }
    if headers:
        return decode_headers(headers) or Record({})
    if text := _first(found, SETS):
        return decode(unquote(text).removeprefix("CMCD="))
    columns = [_member(key, found[name]) for name, key in CLOUDFRONT_KEYS.items() if name in found]
    if columns:
        return decode(",".join(filter(None, columns)))
    return next((record for name in QUERIES if (record := _queried(found, name))), Record({}))


def _queried(found: Mapping[str, str], name: str) -> Record | None:
    """The set in a query. CloudFront and Akamai encode what they log once more."""
    query = found.get(name, "")
    return decode_query(unquote(query) if "%25" in query else query)


def _member(key: str, value: str) -> str:
    """A key as it was in the set, from a field of its own."""
    if KEYS[key].kind is Kind.BOOLEAN:
        return key if value.lower() in {"true", "1", "?1"} else ""
    if KEYS[key].kind is Kind.STRING:
        escaped = value.strip('"').replace("\\", "\\\\").replace('"', '\\"')
        return f'{key}="{escaped}"'
    return f"{key}={value}"
