"""Families of worlds: each tells one story. Half of them were used for tuning, the others never.

Source: specs routing.md SW-1..SW-3, SW-9.
"""

from collections.abc import Callable

from .world import CdnModel, Fault, Liars, Surge, World

CDNS = [
    CdnModel("CDN-A", 4.0, quality=(0.25, 0.85)),
    CdnModel("CDN-B", 6.0),
    CdnModel("CDN-C", 9.0),
    CdnModel("CDN-D", 12.0, quality=(0.45, 1.1)),
]
EQUAL = [CdnModel(f"CDN-{n}", 6.0, quality=(0.6, 0.6)) for n in "ABCD"]


def _equal(hours: float) -> World:
    """Four CDNs alike: nothing to win, everything to lose by moving."""
    return World("equal", EQUAL, hours, degraded_hours=None)


def _everyday(hours: float) -> World:
    """Degraded spells, a regional outage and one CDN dead everywhere for a while (SW-2)."""
    s = hours * 3600
    events: list[Fault | Surge] = [
        Fault(s * 0.35, 600, 0.0, cdn="CDN-B", region="R2"),
        Fault(s * 0.6, 420, 0.0, cdn="CDN-C"),
    ]
    return World("everyday", CDNS, hours, events=events)


def _dead(hours: float) -> World:
    """One CDN dead for a quarter of the time."""
    s = hours * 3600
    return World("dead-cdn", CDNS, hours, events=[Fault(s * 0.4, s * 0.25, 0.0, cdn="CDN-B")])


def _regional(hours: float) -> World:
    """Outages of one CDN in one region after the other."""
    s = hours * 3600
    events: list[Fault | Surge] = [
        Fault(s * (0.15 + 0.12 * n), 480, 0.0, cdn="CDN-" + "ABCDAB"[n], region=f"R{n + 1}")
        for n in range(6)
    ]
    return World("regional-outage", CDNS, hours, events=events)


def _brown(hours: float) -> World:
    """A CDN at a tenth of its rate, answering as if nothing were wrong; then another."""
    s = hours * 3600
    events: list[Fault | Surge] = [
        Fault(s * 0.25, s * 0.15, 0.1, cdn="CDN-B"),
        Fault(s * 0.6, s * 0.15, 0.1, cdn="CDN-D"),
    ]
    return World("brown-out", CDNS, hours, events=events)


def _wave(hours: float) -> World:
    """An event: half as many viewers more within five minutes; most of all capacity."""
    s = hours * 3600
    return World("event-wave", CDNS, hours, viewers=1000, events=[Surge(s * 0.4, 300, 0.5)])


def _flash(hours: float) -> World:
    """A million starts in a minute beside as many who watch, scaled by a thousand (SW-9)."""
    s = hours * 3600
    return World(
        "flash-crowd", CDNS, hours, viewers=1650, swing=0.8, events=[Surge(s * 0.2, 60, 0.61)]
    )


def _liars(hours: float) -> World:
    """A third of one ISP's viewers report the first CDN dead and the others perfect (RT-22)."""
    return World("lying-clients", CDNS, hours, liars=Liars(0.3, "I2"))


def _stale(hours: float) -> World:
    """What three of four routers are told reaches the fourth 30 s late, on an eventful day."""
    s = hours * 3600
    events: list[Fault | Surge] = [
        Fault(s * 0.3, 600, 0.1, cdn="CDN-A", region="R1"),
        Fault(s * 0.6, 420, 0.0, cdn="CDN-C"),
    ]
    return World("stale-snapshots", CDNS, hours, snapshot_delay_s=30.0, events=events)


def _isp(hours: float) -> World:
    """The whole access of an ISP suffers: no CDN is to blame; then one peering only."""
    s = hours * 3600
    events: list[Fault | Surge] = [
        Fault(s * 0.2, s * 0.15, 0.15, isp="I1"),
        Fault(s * 0.55, s * 0.2, 0.1, cdn="CDN-B", isp="I3"),
    ]
    return World("isp-faults", CDNS, hours, events=events)


def _slow(hours: float) -> World:
    """The cheapest by far is slow everywhere, and committed to."""
    cdns = [CdnModel("CDN-A", 2.0, quality=(0.08, 0.2), commit=0.05), *CDNS[1:]]
    return World("cheap-but-slow", cdns, hours)


def _small(hours: float) -> World:
    """Cells of fewer than ten viewers (SW-9)."""
    isps = [f"I{n}" for n in range(1, 17)]
    return World("small-cells", CDNS, hours, isps=isps, viewers=600)


def _device(hours: float) -> World:
    """A brown-out that only one class of devices sees."""
    s = hours * 3600
    events: list[Fault | Surge] = [Fault(s * 0.3, s * 0.3, 0.1, cdn="CDN-C", device="phone")]
    return World("device-brown-out", CDNS, hours, devices=["tv", "phone"], events=events)


def _misstated(hours: float) -> World:
    """A CDN that carries half of what its contract says."""
    cdns = [CDNS[0], CdnModel("CDN-B", 6.0, capacity=0.2, told_capacity=0.42), *CDNS[2:]]
    return World("misstated-capacity", cdns, hours)


Family = Callable[[float], World]
TUNING: dict[str, Family] = {
    "equal": _equal,
    "everyday": _everyday,
    "brown-out": _brown,
    "event-wave": _wave,
    "lying-clients": _liars,
    "cheap-but-slow": _slow,
    "small-cells": _small,
}
HELD_OUT: dict[str, Family] = {
    "dead-cdn": _dead,
    "regional-outage": _regional,
    "flash-crowd": _flash,
    "stale-snapshots": _stale,
    "isp-faults": _isp,
    "device-brown-out": _device,
    "misstated-capacity": _misstated,
}
FAMILIES = TUNING | HELD_OUT
