"""Every form of every claim, each way of breaking an envelope and each transport once, in one plain
request: what random draws may miss (E-29, E-60).
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from cat.tables import ALGORITHMS
from cat.text import to_text
from headwater.edge.divergence import BREAKS, LONG_CHARS, NOW, VALUES, Drawn, sealed

FORMS: Final = 8  # of one way of breaking
REQUEST: Final[Mapping[str, Any]] = {
    "method": "GET", "scheme": "https", "host": "cdn.example", "path": "/live/demo/a.m3u8",
    "query": "", "headers": {"user-agent": "mozilla/5"}, "now": NOW, "ip": "192.0.2.1",
    "country": "SE", "alpn": "h2", "asn": 7, "lat": 59.33, "lon": 18.06,
}  # fmt: skip
LIVE: Final[Mapping[int, Any]] = {4: NOW + 1000}


def sweep() -> Iterator[Drawn]:
    """The same in every run, but for the keys."""
    yield _drawn({}, "HS256", False, "")
    yield _drawn(LIVE, "HS256", True, "A" * LONG_CHARS)
    for alg in ALGORITHMS:
        yield _drawn(LIVE, alg, False, to_text(sealed(LIVE, alg)))
        for how, forms in BREAKS.items():
            for form in forms[:FORMS]:
                yield _drawn(LIVE, alg, True, to_text(sealed(LIVE, alg, how, form)))
    for label, forms in VALUES.items():
        for form in forms:
            claims = {**LIVE, label: form}
            yield _drawn(claims, "HS256", False, to_text(sealed(claims, "HS256")))


def _drawn(claims: Mapping[int, Any], alg: str, forged: bool, token: str) -> Drawn:
    headers = {**REQUEST["headers"], **({"cta-common-access-token": token} if token else {})}
    return Drawn(claims, alg, forged, token, {**REQUEST, "headers": headers})
