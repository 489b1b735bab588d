"""JSON cases through the wasm of a bundle (E-29): the form that `stand_ins` gives every platform.

Beside what all platforms' cases have, `down` names backends' statuses (0: no connection) and `tls`
what the handshake told. What the service fetched last is the answer's path, query and headers.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from headwater.edge.build import Bundle
from headwater.edge.compute.exchange import Answer, Backend, Exchange, Head, Stores
from headwater.edge.compute.toolchain import compiled

CONFIG: Final = ("mode", "settings")
HTTP_2: Final = "1:65536;4:131072|12517377|0|m,p,a,s"


def stores_of(items: Mapping[str, str], broken: bool = False) -> Stores:
    """One table of items in the three stores that the service reads them from."""
    secret = {n: v for n, v in items.items() if n == "keys" or n.startswith("origin-auth-")}
    config = {name: items[name] for name in CONFIG if name in items}
    kv = {name: v for name, v in items.items() if name not in secret and name not in config}
    return Stores(config, secret, kv, broken)


def run_cases(
    bundle: Bundle, cases: Iterable[Mapping[str, Any]], node: str, root: Path, cache: Path
) -> list[dict[str, Any]]:
    """Answers in the order of the cases."""
    service = compiled(bundle.code, node, root, cache)
    answers = []
    for case in cases:
        fetched: list[tuple[str, Head]] = []
        exchange = exchange_of(case, fetched)
        answers.append(_told(service.run(exchange), fetched, exchange))
    return answers


def exchange_of(case: Mapping[str, Any], fetched: list[tuple[str, Head]]) -> Exchange:
    """The viewer's request of a case. Backends put down what they are asked."""
    asked = case["request"]
    query = asked["query"] and f"?{asked['query']}"
    fields = [("host", asked["host"]), *asked["headers"].items()]
    url = f"{asked['scheme']}://{asked['host']}{asked['path']}{query}"
    country, _, region = asked.get("country", "").partition("-")
    place = {
        "country_code": country or None,
        "region": region or None,
        "as_number": asked.get("asn", 0),
        "latitude": asked.get("lat"),
        "longitude": asked.get("lon"),
        "metro_code": int(asked.get("metro", 0)),
    }
    tls = {**case.get("tls", {}), **({"h2": HTTP_2} if asked.get("alpn") == "h2" else {})}
    return Exchange(
        Head(fields, asked["method"], url),
        asked["now"],
        ip=asked.get("ip"),
        place=place,
        tls=tls,
        stores=stores_of(case["stores"], case.get("broken", False)),
        backends=_Backends(case, fetched),
    )


class _Backends(dict[str, Backend]):
    """Any backend that a bundle names."""

    def __init__(self, case: Mapping[str, Any], fetched: list[tuple[str, Head]]) -> None:
        super().__init__()
        self._down = case.get("down", {})
        self._fields = [*((case.get("response") or {}).get("headers", {})).items()]
        self._fetched = fetched

    def __contains__(self, name: object) -> bool:
        return True

    def __missing__(self, name: str) -> Backend:
        def backend(head: Head, body: bytes) -> Answer:
            self._fetched.append((name, head))
            status = self._down.get(name, 200)
            if status == 0:
                raise ConnectionError
            return Answer(status, self._fields, b"media")

        return backend


def _told(answer: Answer, fetched: list[tuple[str, Head]], exchange: Exchange) -> dict[str, Any]:
    told: dict[str, Any] = {
        "backends": [name for name, _ in fetched],
        "cpu_us": exchange.cpu_us,
        "log": exchange.logged,
    }
    if not fetched:
        headers = dict(answer.fields)
        return told | {"status": answer.status, "headers": headers, "body": answer.body.decode()}
    last = fetched[-1][1]
    parts = urlsplit(last.url)
    return told | {
        "path": parts.path,
        "query": parts.query,
        "headers": dict(last.fields),
        "response": dict(answer.fields),
        "served": answer.status,
    }
