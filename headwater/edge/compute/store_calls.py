"""fastly_config_store, fastly_secret_store, fastly_kv_store, fastly_geo, fastly_log."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from headwater.edge.compute.abi import BAD_HANDLE, ERROR, NONE, OK, UNSUPPORTED, call
from headwater.edge.compute.session import Session

STORE: Final = "headwater"
KV_OK: Final = 1
KV_NOT_FOUND: Final = 3
KV_INTERNAL: Final = 6
CONFIG: Final = "fastly_config_store"
SECRET: Final = "fastly_secret_store"
KV: Final = "fastly_kv_store"
LOG: Final = "fastly_log"


@dataclass(frozen=True, slots=True)
class Secret:
    text: str


@dataclass(frozen=True, slots=True)
class Lookup:
    text: str | None


@dataclass(frozen=True, slots=True)
class Held:
    """An open store."""

    items: Mapping[str, str]


def _open(s: Session, items: Mapping[str, str], name: str, at: int) -> int:
    if name != STORE:
        return BAD_HANDLE
    s.memory.u32(at, s.open(Held(items)))
    return OK


@call(CONFIG, "open")
def config_open(s: Session, name: int, length: int, at: int) -> int:
    return _open(s, s.exchange.stores.config, s.memory.text(name, length), at)


@call(CONFIG, "get")
def config_get(
    s: Session, handle: int, key: int, length: int, at: int, room: int, written_at: int
) -> int:
    value = s.get(handle, Held).items.get(s.memory.text(key, length))
    if s.exchange.stores.broken:
        return ERROR
    return NONE if value is None else s.memory.filled(at, room, value.encode(), written_at)


@call(SECRET, "open")
def secret_open(s: Session, name: int, length: int, at: int) -> int:
    if s.exchange.stores.broken:
        return ERROR
    return _open(s, s.exchange.stores.secrets, s.memory.text(name, length), at)


@call(SECRET, "get")
def secret_get(s: Session, handle: int, key: int, length: int, at: int) -> int:
    value = s.get(handle, Held).items.get(s.memory.text(key, length))
    if value is None:
        return NONE
    s.memory.u32(at, s.open(Secret(value)))
    return OK


@call(SECRET, "plaintext")
def secret_text(s: Session, handle: int, at: int, room: int, written_at: int) -> int:
    return s.memory.filled(at, room, s.get(handle, Secret).text.encode(), written_at)


@call(KV, "open")
def kv_open(s: Session, name: int, length: int, at: int) -> int:
    return _open(s, s.exchange.stores.kv, s.memory.text(name, length), at)


@call(KV, "lookup")
def kv_lookup(
    s: Session, handle: int, key: int, length: int, mask: int, options: int, at: int
) -> int:
    value = s.get(handle, Held).items.get(s.memory.text(key, length))
    s.memory.u32(at, s.open(Lookup(value)))
    return OK


@call(KV, "lookup_wait_v2")
def kv_wait(
    s: Session, handle: int, body_at: int, meta: int, room: int, written_at: int, age: int, at: int
) -> int:
    value = s.get(handle, Lookup).text
    s.memory.u32(written_at, 0)
    if s.exchange.stores.broken:
        s.memory.u32(at, KV_INTERNAL)
        return ERROR
    if value is None:
        s.memory.u32(at, KV_NOT_FOUND)
        return OK
    s.memory.u32(body_at, s.open(bytearray(value.encode())))
    s.memory.u64(age, 1)
    s.memory.u32(at, KV_OK)
    return OK


@call("fastly_geo", "lookup")
def geo(s: Session, address: int, length: int, at: int, room: int, written_at: int) -> int:
    return s.memory.filled(at, room, s.exchange.geo, written_at)


@call(LOG, "endpoint_get")
def log_endpoint(s: Session, name: int, length: int, at: int) -> int:
    s.memory.u32(at, s.open(s.memory.text(name, length)))
    return OK


@call(LOG, "write")
def log_write(s: Session, handle: int, at: int, length: int, written_at: int) -> int:
    s.exchange.logged.append(s.memory.text(at, length))
    s.memory.u32(written_at, length)
    return OK


@call("fastly_http_cache", "is_request_cacheable")
def is_cacheable(s: Session, handle: int, at: int) -> int:
    return UNSUPPORTED
