from array import array
from typing import Any

def add(
    totals: array[float],
    rows: dict[Any, array[float]],
    spots: array[int],
    wider: array[int],
    cdns: int,
    fade: array[float],
) -> None:
    """Add each row, times `fade` by column, to the totals of its place, of its region and of all.

    `totals` has a row for each place and CDN; place 0 is the whole. `spots` has a row's place times
    `cdns` plus its CDN, in the order of `rows`; `wider` has the place of each place's region,
    itself for a region and for the whole. ValueError for what does not fit together.
    """

def drift(
    totals: array[float],
    along: array[int],
    each: int,
    lines: int,
    cdns: int,
    cdn: int,
    rounds: int,
    enough: float,
) -> list[tuple[int, float, float, float, float]]:
    """The lines that explain best what sank on a CDN: line, n, recent_n, presence, and by how many
    points the recent reports on it are off what its places are used to.

    Matching pursuit (Mallat and Zhang, IEEE Trans. Signal Processing 41 (12), 1993): the line that
    takes most off the squares of what is left, then the next of what that leaves, `rounds` times.
    Of lines that take off nearly as much, `enough` of the most, the widest by n: a part that is
    heard of first speaks for the whole.
    `totals` has a row for each place and CDN, whose first columns are n, qoe, failures, recent_n,
    recent_qoe and presence; `along` has `each` of `lines` for each place, -1 for none. ValueError
    for what does not fit together.
    """
