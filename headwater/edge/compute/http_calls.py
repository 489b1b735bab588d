"""fastly_http_req, fastly_http_resp, fastly_http_body, fastly_async_io."""

import struct
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

from headwater.edge.compute.abi import ERROR, INVALID_ARGUMENT, NONE, OK, call
from headwater.edge.compute.exchange import Head
from headwater.edge.compute.session import Session

HTTP_1_1: Final = 2
BACK: Final = 0
CONNECTION_REFUSED: Final = 7  # send_error_detail
URL_BYTES: Final = 8_192
REQ: Final = "fastly_http_req"
RESP: Final = "fastly_http_resp"
BODY: Final = "fastly_http_body"
DOWN: Final = "fastly_http_downstream"
IO: Final = "fastly_async_io"


@dataclass(frozen=True, slots=True)
class Pending:
    """A request that was sent to a backend."""

    head: Head
    body: bytes
    backend: str


@call(REQ, "body_downstream_get")
def body_downstream_get(s: Session, request_at: int, body_at: int) -> int:
    s.memory.u32(request_at, s.open(s.exchange.request))
    s.memory.u32(body_at, s.open(bytearray(s.exchange.body)))
    return OK


@call(REQ, "new")
@call(RESP, "new")
def new_head(s: Session, handle_at: int) -> int:
    s.memory.u32(handle_at, s.open(Head()))
    return OK


@call(REQ, "method_get")
def method_get(s: Session, handle: int, at: int, room: int, written_at: int) -> int:
    return s.memory.filled(at, room, s.get(handle, Head).method.encode(), written_at)


@call(REQ, "method_set")
def method_set(s: Session, handle: int, at: int, length: int) -> int:
    s.get(handle, Head).method = s.memory.text(at, length)
    return OK


@call(REQ, "uri_get")
def uri_get(s: Session, handle: int, at: int, room: int, written_at: int) -> int:
    return s.memory.filled(at, room, s.get(handle, Head).url.encode(), written_at)


@call(REQ, "uri_set")
def uri_set(s: Session, handle: int, at: int, length: int) -> int:
    if length > URL_BYTES:
        return INVALID_ARGUMENT
    s.get(handle, Head).url = s.memory.text(at, length)
    return OK


@call(REQ, "version_get")
@call(RESP, "version_get")
def version_get(s: Session, handle: int, at: int) -> int:
    s.memory.u32(at, HTTP_1_1)
    return OK


@call(REQ, "cache_override_v2_set")
def cache_override(s: Session, handle: int, tag: int, ttl: int, stale: int, *key: int) -> int:
    return OK


@call(REQ, "framing_headers_mode_set")
@call(RESP, "framing_headers_mode_set")
@call(REQ, "auto_decompress_response_set")
def ignored(s: Session, handle: int, mode: int) -> int:
    return OK


@call(REQ, "header_names_get")
@call(RESP, "header_names_get")
def header_names_get(s: Session, handle: int, *buffer: int) -> int:
    names = dict.fromkeys(name.encode() for name, _ in s.get(handle, Head).fields)
    return s.memory.listed(list(names), *buffer)


@call(REQ, "header_values_get")
@call(RESP, "header_values_get")
def header_values_get(s: Session, handle: int, name_at: int, length: int, *buffer: int) -> int:
    values = s.get(handle, Head).values(s.memory.text(name_at, length))
    data = [value.encode("utf-8", "surrogateescape") for value in values]
    return s.memory.listed(data, *buffer)


@call(REQ, "header_append")
@call(RESP, "header_append")
def header_append(s: Session, handle: int, name: int, length: int, at: int, size: int) -> int:
    s.get(handle, Head).append(s.memory.text(name, length), s.memory.text(at, size))
    return OK


@call(REQ, "header_insert")
@call(RESP, "header_insert")
def header_insert(s: Session, handle: int, name: int, length: int, at: int, size: int) -> int:
    header_remove(s, handle, name, length)
    return header_append(s, handle, name, length, at, size)


@call(REQ, "header_remove")
@call(RESP, "header_remove")
def header_remove(s: Session, handle: int, name: int, length: int) -> int:
    s.get(handle, Head).remove(s.memory.text(name, length))
    return OK


@call(RESP, "status_get")
def status_get(s: Session, handle: int, at: int) -> int:
    s.memory.write(at, struct.pack("<H", s.get(handle, Head).status))
    return OK


@call(RESP, "status_set")
def status_set(s: Session, handle: int, status: int) -> int:
    s.get(handle, Head).status = status
    return OK


@call(RESP, "send_downstream")
def send_downstream(s: Session, handle: int, body: int, streaming: int) -> int:
    if s.sent is not None:
        return ERROR
    s.sent = s.get(handle, Head), s.get(body, bytearray)
    return OK


@call(BODY, "new")
def body_new(s: Session, handle_at: int) -> int:
    s.memory.u32(handle_at, s.open(bytearray()))
    return OK


@call(BODY, "read")
def body_read(s: Session, handle: int, at: int, room: int, read_at: int) -> int:
    body = s.get(handle, bytearray)
    data = bytes(body[:room])
    del body[:room]
    return s.memory.filled(at, room, data, read_at)


@call(BODY, "write")
def body_write(s: Session, handle: int, at: int, size: int, end: int, written_at: int) -> int:
    body, data = s.get(handle, bytearray), s.memory.read(at, size)
    place = len(body) if end == BACK else 0
    body[place:place] = data
    s.memory.u32(written_at, size)
    return OK


@call(BODY, "append")
def body_append(s: Session, to: int, source: int) -> int:
    s.get(to, bytearray).extend(s.get(source, bytearray))
    s.close(source)
    return OK


@call(BODY, "close")
@call(BODY, "abandon")
def body_close(s: Session, handle: int) -> int:
    s.close(handle)
    return OK


@call(BODY, "known_length")
def known_length(s: Session, handle: int, at: int) -> int:
    s.memory.u64(at, len(s.get(handle, bytearray)))
    return OK


@call(REQ, "send_async_v2")
def send_async(
    s: Session, handle: int, body: int, name: int, length: int, streaming: int, at: int
) -> int:
    backend = s.memory.text(name, length)
    if backend not in s.exchange.backends:
        return INVALID_ARGUMENT
    head, data = s.get(handle, Head), bytes(s.get(body, bytearray))
    sent = Head(list(head.fields), head.method, head.url)
    s.memory.u32(at, s.open(Pending(sent, data, backend)))
    return OK


@call(REQ, "send_async")
def send_async_v1(s: Session, handle: int, body: int, name: int, length: int, at: int) -> int:
    return send_async(s, handle, body, name, length, 0, at)


@call(REQ, "pending_req_wait_v2")
def pending_wait(s: Session, handle: int, detail_at: int, head_at: int, body_at: int) -> int:
    pending = s.get(handle, Pending)
    s.close(handle)
    try:
        reply = s.exchange.backends[pending.backend](pending.head, pending.body)
    except ConnectionError:
        s.memory.write(detail_at, struct.pack("<BBHHB", CONNECTION_REFUSED, 0, 0, 0, 0))
        return ERROR
    head = Head(status=reply.status)
    for name, value in reply.fields:
        head.append(name, value)
    s.memory.u32(head_at, s.open(head))
    s.memory.u32(body_at, s.open(bytearray(reply.body)))
    return OK


@call(IO, "select")
def select(s: Session, handles: int, count: int, timeout_ms: int, index_at: int) -> int:
    s.memory.u32(index_at, 0 if count else 0xFFFFFFFF)
    return OK


@call(IO, "is_ready")
def is_ready(s: Session, handle: int, at: int) -> int:
    s.memory.u32(at, 1)
    return OK


@call(DOWN, "downstream_client_ip_addr")
def client_ip(s: Session, handle: int, at: int, written_at: int) -> int:
    packed = ip_address(s.exchange.ip).packed if s.exchange.ip else b""
    return s.memory.filled(at, 16, packed, written_at)


@call(DOWN, "downstream_tls_ja3_md5")
def tls_ja3(s: Session, handle: int, at: int, written_at: int) -> int:
    if "ja3" not in s.exchange.tls:
        return NONE
    return s.memory.filled(at, 16, bytes.fromhex(s.exchange.tls["ja3"]), written_at)


def _tls(name: str, member: str) -> None:
    @call(DOWN, name)
    def told(s: Session, handle: int, at: int, room: int, written_at: int) -> int:
        if member not in s.exchange.tls:
            return NONE
        value = s.exchange.tls[member]
        data = bytes.fromhex(value) if member == "certificate" else value.encode()
        return s.memory.filled(at, room, data, written_at)


for _name, _member in (
    ("downstream_tls_protocol", "protocol"),
    ("downstream_tls_ja4", "ja4"),
    ("downstream_client_h2_fingerprint", "h2"),
    ("downstream_tls_raw_client_certificate", "certificate"),
):
    _tls(_name, _member)
