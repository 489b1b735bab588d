from array import array
from typing import Any

def add(
    totals: array[float],
    rows: dict[Any, list[float]],
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
