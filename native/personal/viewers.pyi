"""Personal answers by URL and token."""

from collections.abc import Callable
from typing import Any, final

from native.http import Desk, Entity

@final
class Viewers(Desk):
    """Answers requests whose URL is held and whose only token is accepted; the rest is the
    handler's, refusals too, so that reasons are found in one place.
    """

    def __init__(
        self,
        verify: Callable[..., Any],
        session_of: Callable[[Any], bytes],
        capacity: int,
        reporting: bool = False,
    ) -> None:
        """`verify(token, native.cat.Request)` gives a verdict; `session_of` its steering session.
        More URLs than `capacity` begin anew; `reporting` leaves CMCD headers to the handler.
        """
    def hold(
        self,
        path: str,
        token: str,
        query: str,
        copy: Callable[..., Entity | None],
        uri: str,
        named: bool,
        life_s: float,
        label: object = None,
    ) -> bool:
        """Hold what a request asked for with a token that stood in its path (`/cat:...`) or was its
        whole query (`CAT=...`); false where it stood elsewhere. `copy(token, sid, segment, coded=)`
        makes a viewer's answer or leaves it to the handler; `segment` is the `s:...` of its URL,
        `sid` the steering session, needed where the copies are `named`. `uri` is what tokens are
        judged against, `label` names a count.
        """
    def clear(self) -> None:
        """Forget all URLs."""
    def counts(self) -> dict[Any, int]:
        """Answers by label."""
