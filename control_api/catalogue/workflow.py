"""The life of an entry: draft -> review -> approved -> published -> archived.

The order of `STATES` is the way to the public; `MOVES` is all there is besides.
"""

from typing import Literal, get_args

from control_api.problems import Problem

State = Literal["draft", "review", "approved", "published", "archived"]
STATES: tuple[State, ...] = get_args(State)

MOVES: dict[State, frozenset[State]] = {
    "draft": frozenset({"review", "archived"}),
    "review": frozenset({"draft", "approved"}),
    "approved": frozenset({"draft", "published"}),
    "published": frozenset({"archived"}),
    "archived": frozenset({"draft"}),
}


def move(now: str, to: State) -> None:
    """Raises 409 `bad_state` for a move that the table does not have."""
    allowed = MOVES[now]  # type: ignore[index]
    if to not in allowed:
        raise Problem("bad_state", f"from {now} to {to}", state=now, allowed=sorted(allowed))
