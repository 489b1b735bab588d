"""What RFC 9110, 9112 and 3986 say in lists: octet classes, known names, reasons, fixed fields.

The kernels copy the octet classes into 256-entry arrays at import; no request asks here.
"""

from typing import NamedTuple

ALPHA = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
DIGIT = b"0123456789"
TCHAR = ALPHA + DIGIT + b"!#$%&'*+-.^_`|~"  # RFC 9110 5.6.2
TARGET = bytes(range(0x21, 0x7F))  # HT-15
FIELD = bytes([0x09, *range(0x20, 0x7F), *range(0x80, 0x100)])  # RFC 9110 5.5, HT-22
PCHAR = ALPHA + DIGIT + b"-._~!$&'()*+,;=:@"  # RFC 3986 3.3, without "%"
HEX_DIGITS = tuple({ord(d), ord(d.upper())} for d in "0123456789abcdef")  # by value
LABEL = ALPHA + DIGIT + b"-_"  # HT-41
ETAGC = bytes([0x21, *range(0x23, 0x7F), *range(0x80, 0x100)])  # RFC 9110 8.8.3

LINE_BYTES_MAX = 8192  # HT-16 and HT-23: request line, one field line
SECTION_BYTES_MAX = 16384  # HT-23
FIELDS_MAX = 100  # HT-23
METHOD_BYTES_MAX = 16  # HT-13
HOST_BYTES_MAX = 255  # HT-41
INPUT_BYTES_MAX = 32768  # HT-3, per connection
PARAMETERS_MAX = 64  # HT-56

METHODS = ("GET", "HEAD", "OPTIONS")  # HT-1
REFUSED_METHODS = ("POST", "PUT", "DELETE", "PATCH", "TRACE", "CONNECT")  # HT-13: 405


class KnownField(NamedTuple):
    """A field that may change the answer; `single` ones may occur once (HT-24)."""

    name: str
    single: bool


KNOWN_FIELDS = (
    KnownField("host", True),  # RFC 9112 3.2
    KnownField("content-length", True),  # HT-31
    KnownField("transfer-encoding", True),  # HT-30
    KnownField("connection", False),  # RFC 9110 7.6.1
    KnownField("expect", False),  # RFC 9110 10.1.1
    KnownField("range", True),  # RFC 9110 14.2
    KnownField("if-range", True),  # RFC 9110 13.1.5
    KnownField("if-match", False),  # RFC 9110 13.1.1
    KnownField("if-none-match", False),  # RFC 9110 13.1.2
    KnownField("if-modified-since", True),  # RFC 9110 13.1.3
    KnownField("if-unmodified-since", True),  # RFC 9110 13.1.4
    KnownField("accept-encoding", False),  # RFC 9110 12.5.3
    KnownField("authorization", True),  # RFC 9110 11.6.2
)
FRAMING_FIELDS = ("content-length", "transfer-encoding")  # HT-26: also with "_" for "-"

# HT-56: the only query parameters that can change an answer.
KNOWN_PARAMETERS = ("start", "end", "CAT")  # CAT in any case
KNOWN_PREFIX = "_HLS_"

PHASES = (  # what a connection waits for: wire.pxd's phases in their order
    "new",  # a first octet
    "idle",  # the next request
    "reading",  # the rest of a head
    "making",  # a handler's answer
    "leaving",  # the same, behind the client's FIN
    "writing",  # the peer to take octets
    "streaming",  # a body in the making
    "leaving",  # the peer's FIN
)
STATES = (*dict.fromkeys(PHASES), "parked")  # of connections, in counters (HT-162)

REASONS = {  # RFC 9110 15, RFC 6585, RFC 8470
    200: "OK",
    201: "Created",
    204: "No Content",
    206: "Partial Content",
    301: "Moved Permanently",
    302: "Found",
    303: "See Other",
    304: "Not Modified",
    307: "Temporary Redirect",
    308: "Permanent Redirect",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    409: "Conflict",
    410: "Gone",
    412: "Precondition Failed",
    414: "URI Too Long",
    415: "Unsupported Media Type",
    416: "Range Not Satisfiable",
    417: "Expectation Failed",
    421: "Misdirected Request",
    425: "Too Early",
    429: "Too Many Requests",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    501: "Not Implemented",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
    505: "HTTP Version Not Supported",
}

ALLOW = ", ".join(METHODS)
CORS = (  # HT-74; the list is O11 and E-47 together
    ("Access-Control-Allow-Origin", "*"),
    (
        "Access-Control-Expose-Headers",
        "CTA-Common-Access-Token, CAT-Reason, CMSD-Static, CMSD-Dynamic, "
        "Content-Length, Content-Range, Date, Retry-After",
    ),
    ("Timing-Allow-Origin", "*"),
)
PREFLIGHT = (  # HT-75
    ("Allow", ALLOW),
    ("Access-Control-Allow-Methods", ALLOW),
    (
        "Access-Control-Allow-Headers",
        "CTA-Common-Access-Token, DPoP, Range, "
        "CMCD-Object, CMCD-Request, CMCD-Session, CMCD-Status",
    ),
    ("Access-Control-Max-Age", "86400"),
    ("Cache-Control", "max-age=86400"),
)
