"""The request that a token is judged against (C face: request.pxd)."""

from collections.abc import Mapping
from typing import final

__pyx_capi__: dict[str, object]  # what other kernels call

@final
class Request:
    """One request, immutable. `now` is epoch seconds; None stands for what this platform does not
    know. `country` is ISO 3166-1 alpha-2 with an optional subdivision ("SE-AB"); header names are
    lower-case; `client_prints` are TLS fingerprints by cattprint type; `alt` is metres. `normal` is
    room for the caller's form of the URI.
    """

    uri: str
    now: float
    method: str
    ip: str | None
    asn: int | None
    country: str | None
    lat: float | None
    lon: float | None
    alpn: str | None
    client_spki: bytes | None
    headers: Mapping[str, str]
    client_prints: Mapping[int, str]
    alt: float | None
    normal: object

    def __init__(
        self,
        uri: str,
        now: float,
        method: str = "GET",
        ip: str | None = None,
        asn: int | None = None,
        country: str | None = None,
        lat: float | None = None,
        lon: float | None = None,
        alpn: str | None = None,
        client_spki: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        client_prints: Mapping[int, str] | None = None,
        alt: float | None = None,
    ) -> None: ...
