from collections.abc import Callable, Collection, Iterable
from typing import Any, Final, final

KINDS: Final[dict[str, int]]

@final
class Orderly:
    """Reads version 2 sets in which nothing is odd (CTA-5004-B section 4, RFC 9651).

    A row is a key: name, kind (one of KINDS), whether it is of event mode only, its most
    characters, its grid, its words when it is a token. `make` joins a value and its parameters.
    """

    def __init__(
        self,
        rows: Iterable[tuple[str, str, bool, int, int, Collection[str]]],
        make: Callable[[int | str, dict[str, Any]], object],
        *,
        max_chars: int,
        max_list: int,
        version: int,
    ) -> None: ...
    def read(self, text: str, event: bool) -> dict[str, object] | None:
        """The keys and values in their order; None unless a strict reader would find the set of
        this version and have no remark on it. Never raises on any text.
        """
