"""What policies share in making tables: who may be used, means after back-off, one-hot shares."""

from collections.abc import Mapping, Sequence

from .face import Candidate, Cell, Evidence, Reason, Site, Snapshot, Stand, Table

NEUTRAL = 75.0  # the score of a CDN of which nothing is known


def usable(snapshot: Snapshot) -> list[int]:
    """The CDNs the operator lets serve; all of them when that is none."""
    enabled = [i for i, stand in enumerate(snapshot.stands) if stand is Stand.ENABLED]
    return enabled or list(range(len(snapshot.cdns)))


def put_off(snapshot: Snapshot) -> list[Reason | None]:
    """Who must be left at once because the operator said so."""
    some = Stand.ENABLED in snapshot.stands
    return [Reason.DRAINED if some and s is not Stand.ENABLED else None for s in snapshot.stands]


def sites(region: str, snapshot: Snapshot) -> tuple[Site, ...]:
    return snapshot.sites.get(region) or (Site(),) * len(snapshot.cdns)


def even(indices: Sequence[int], count: int) -> list[float]:
    """The same share for each of these."""
    share = [0.0] * count
    for index in indices:
        share[index] = 1.0 / len(indices)
    return share


def best(scores: Sequence[float], indices: Sequence[int]) -> int:
    """The first of the greatest scores."""
    return max(indices, key=lambda index: scores[index])


def one(index: int, count: int) -> list[float]:
    return [1.0 if each == index else 0.0 for each in range(count)]


def means(row: Sequence[Evidence]) -> list[float]:
    """Mean scores without back-off."""
    return [each.qoe / each.n if each.n > 1e-9 else NEUTRAL for each in row]


def table(
    snapshot: Snapshot,
    share: Sequence[float],
    scores: Sequence[float],
    *,
    leave: float | Sequence[float] = 0.0,
    urgent: Sequence[Reason | None] | None = None,
    parts: Sequence[Mapping[str, float]] | None = None,
    because: Reason = Reason.BETTER,
    draws: Sequence[float] | None = None,
) -> Table:
    """A table from shares and scores; `leave` is one chance for all or one for each. Whoever starts
    or leaves is drawn by `draws`, where these are others than the shares that rank.
    """
    count = len(snapshot.cdns)
    chances = (leave,) * count if isinstance(leave, float) else tuple(leave)
    aside = [reason is not None for reason in put_off(snapshot)]
    ranked = sorted(range(count), key=lambda at: (aside[at], -share[at], -scores[at], at))
    named = parts or [{"score": score} for score in scores]
    drawn = tuple(share if draws is None else draws)
    rows = zip(snapshot.cdns, scores, drawn, named, strict=True)
    candidates = tuple(Candidate(cdn.id, score, part, why) for cdn, score, part, why in rows)
    must = tuple(urgent if urgent is not None else put_off(snapshot))
    return Table(drawn, chances, must, tuple(ranked), candidates, because)


def cells_of(region: str, snapshot: Snapshot) -> tuple[Cell, ...]:
    """The cells a plan of the region holds."""
    return snapshot.regions.get(region, (Cell(region),))


def evidence(cell: Cell, snapshot: Snapshot) -> tuple[Evidence, ...]:
    return snapshot.cells.get(cell) or (Evidence(),) * len(snapshot.cdns)
