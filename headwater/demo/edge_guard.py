"""A demo edge's gate: the token is taken out of the request, verified, and never travels further
(CAT-92, E-42).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

import cat
from cat.uri import UriError, normal_path
from native.http import Request

KNOWN_PARAMETERS = ("start", "end")  # CONTRACT: no other query parameter changes bytes
KNOWN_PREFIX = "_HLS_"
_PATH_SAFE = "/:;@!$&'()*+,=~"


@dataclass(frozen=True, slots=True)
class Admitted:
    """A request that may pass: what the origin is asked for, which is also the cache key (E-43)."""

    target: str


class Guard:
    """Verifies every request against one key set."""

    def __init__(self, keys: cat.KeySet, issuers: Sequence[str]) -> None:
        options = cat.Options(issuers=tuple(issuers), require=("exp",))
        self._verifier = cat.Verifier(keys, options)

    def admit(self, request: Request, now: float) -> Admitted | cat.Verdict:
        """The way through, or the verdict that refuses."""
        raw_path = quote(request.path, safe=_PATH_SAFE)
        found = cat.candidates(raw_path, request.query, request.headers)
        try:
            path = normal_path(found.path)
        except UriError:
            return cat.Verdict(False, "uri")
        query = f"?{found.query}" if found.query else ""
        context = cat.Context(
            uri=f"http://{request.headers.get('host', 'localhost')}{path}{query}",
            now=now,
            method=request.method,
            ip=request.peer,
            headers=found.headers,
        )
        verdict = self._verifier.verify_any(found.tokens, context)
        if not verdict.accept:
            return verdict
        known = sorted(pair for pair in found.query.split("&") if _is_known(pair))
        return Admitted(path + ("?" + "&".join(known) if known else ""))


def _is_known(pair: str) -> bool:
    name = pair.partition("=")[0]
    return name in KNOWN_PARAMETERS or name.startswith(KNOWN_PREFIX)
