"""The head of a fragment with more boxes in it (ISO/IEC 14496-12:2022, 8.8)."""

def widen(head: bytes, extra: bytes, aux_at: int, tail: bytes) -> bytes:
    """`head`, which ends where its media starts, with `extra` at the end of its traf and `tail` at
    the end of its moof; data offsets follow. `aux_at` is where in `extra` saio keeps an offset from
    the start of `extra`, which becomes one from the start of the moof; -1: there is none. BoxError.
    """
