"""One request of a viewer with what the platform knows of it, and the answer; no sockets."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Fields = list[tuple[str, str]]


@dataclass(slots=True)
class Head:
    """A request (method, url) or a response (status), and its fields in order of arrival."""

    fields: Fields = field(default_factory=list)
    method: str = "GET"
    url: str = ""
    status: int = 200

    def values(self, name: str) -> list[str]:
        """All values of a field, name in any case."""
        return [value for own, value in self.fields if own == name.lower()]

    def remove(self, name: str) -> None:
        self.fields = [one for one in self.fields if one[0] != name.lower()]

    def append(self, name: str, value: str) -> None:
        self.fields.append((name.lower(), value))


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back to the viewer, or came from a backend."""

    status: int
    fields: Fields
    body: bytes = b""


# (request, body) -> the backend's answer; ConnectionError where there is none.
Backend = Callable[[Head, bytes], Answer]


@dataclass(frozen=True, slots=True)
class Stores:
    """Names to texts. `broken`: every store answers with an error."""

    config: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    kv: Mapping[str, str] = field(default_factory=dict)
    broken: bool = False


@dataclass(slots=True)
class Exchange:
    """A viewer's request. `now` in seconds since 1970; `place` is the geo record of the address;
    `tls` holds protocol, ja3 (hex), ja4, h2 (the HTTP/2 fingerprint), certificate (DER, hex).
    """

    request: Head
    now: float
    body: bytes = b""
    ip: str | None = None
    place: Mapping[str, Any] = field(default_factory=dict)
    tls: Mapping[str, str] = field(default_factory=dict)
    stores: Stores = field(default_factory=Stores)
    backends: Mapping[str, Backend] = field(default_factory=dict)
    answer: Answer | None = None
    logged: list[str] = field(default_factory=list)
    cpu_us: float = 0.0

    @property
    def geo(self) -> bytes:
        """The record as `fastly_geo` writes it."""
        return json.dumps(dict(self.place)).encode()
