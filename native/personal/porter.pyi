"""The quick yes of the verifier endpoint."""

from collections.abc import Callable
from typing import Any, final

from native.cat import Fast
from native.http import Desk, Entity, Refusal

@final
class Porter(Desk):
    """Answers what nginx `auth_request` (`/auth`) and Envoy `ext_authz` (`/ext_authz/...`) ask
    where the kernel certainly accepts the token; the rest is the handler's, refusals too.
    """

    passed: int

    def __init__(
        self, welcome: Callable[[str], Entity | Refusal], clock: Callable[[], float]
    ) -> None:
        """`welcome(kid)` makes the answer of a key's tokens, once; `clock` gives epoch seconds."""
    def use(self, verifier: Fast[Any] | None) -> None:
        """Judge with this verifier from now on; None leaves everything to the handler."""
