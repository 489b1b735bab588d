"""What the console's router page and the dashboards show: CDN by region, shares, moves (RT-17).

Shares are of the sessions seen last; quality, load and circuits are the snapshot's.
"""

from collections import Counter
from collections.abc import Mapping
from heapq import nlargest
from itertools import islice

from ..core import Router, Site
from ..policies.face import Cell, Circuit, Evidence
from ..policies.face import Site as Here

MAX_SESSIONS = 5_000
LIVE_MS = 120_000  # not heard of for so long: gone
MAX_REGIONS = 64
MAX_SWITCHES = 20
MBPS_TB_PER_HOUR = 3600 / 8 / 1e6  # 1 Mbit/s for an hour, in TB
NO_SITE, NO_EVIDENCE = Here(), Evidence()

Value = Mapping[tuple[str, ...], float]


class Screen:
    """Readings of one router."""

    def __init__(self, router: Router) -> None:
        self._router = router

    def shares(self, now_ms: int) -> Counter[str]:
        """Live sessions by the pathway each was told last."""
        counts = Counter(dict.fromkeys(self._router.sites, 0))
        for session in islice(self._router.sessions.latest(), MAX_SESSIONS):
            heard_ms = session.last_poll_ms or session.created_ms
            if session.order and now_ms - heard_ms <= LIVE_MS:
                counts[session.order[0]] += 1
        return counts

    def heat(self) -> list[dict[str, object]]:
        """A row for each region, the most watched first, a cell for each CDN."""
        picture = self._router.picture
        if picture is None:
            return []
        none = (NO_EVIDENCE,) * len(picture.cdns)
        rows = []
        for region, sites in picture.sites.items():
            evidence = picture.cells.get(Cell(region), none)
            cells = [
                {
                    "pathway": cdn.id,
                    "qoe": round(seen.qoe / seen.n, 1) if seen.n > 0 else None,
                    "sessions": round(seen.sessions, 1),
                    "circuit": site.circuit,
                    "load_mbps": round(site.load_mbps, 1),
                    "capacity_mbps": site.capacity_mbps,
                }
                for cdn, site, seen in zip(picture.cdns, sites, evidence, strict=True)
            ]
            watched = sum(seen.sessions for seen in evidence)
            rows.append((region != "", -watched, region, cells))
        rows.sort(key=lambda row: row[:3])
        return [{"region": region, "cells": cells} for _, _, region, cells in rows[:MAX_REGIONS]]

    def pathways(self, now_ms: int) -> list[dict[str, object]]:
        shares = self.shares(now_ms)
        total = sum(shares.values())
        return [
            self._pathway(at, site, shares[name], total)
            for at, (name, site) in enumerate(self._router.sites.items())
        ]

    def _pathway(self, at: int, site: Site, sessions: int, total: int) -> dict[str, object]:
        picture = self._router.picture
        here = picture.sites[""][at] if picture is not None and "" in picture.sites else NO_SITE
        cdn = picture.cdns[at] if picture is not None else None
        price = cdn.price_per_tb if cdn is not None else 0.0
        return {
            "id": site.pathway.id,
            "state": site.admin,
            "health": site.health.state,
            "why": site.why,
            "since_ms": site.since_ms,
            "probe_ms": None if site.probe_ms is None else round(site.probe_ms, 1),
            "sessions": sessions,
            "share": round(sessions / total, 4) if total else None,
            "load_mbps": round(here.load_mbps, 1),
            "price_per_tb": price,
            "cost_per_hour": round(here.load_mbps * MBPS_TB_PER_HOUR * price, 4),
            "commit_mbps": cdn.commit_mbps if cdn is not None else 0.0,
            "fill": round(here.fill, 4),
        }

    def breakers(self) -> list[dict[str, str]]:
        """Circuits that are not closed."""
        picture = self._router.picture
        if picture is None:
            return []
        return [
            {"region": region, "pathway": cdn.id, "circuit": site.circuit}
            for region, sites in sorted(picture.sites.items())
            for cdn, site in zip(picture.cdns, sites, strict=True)
            if site.circuit is not Circuit.CLOSED
        ]

    def to_json(self, now_ms: int) -> dict[str, object]:
        router = self._router
        plan, picture = router.plans.current, router.picture
        return {
            "at_ms": now_ms,
            "plan": {
                "generation": plan.generation,
                "policy": plan.policy,
                "rules": len(plan.rules),
                "fallback": plan.fallback,
                "expires_ms": plan.expires_ms,
                "author": plan.author,
            },
            "snapshot": {
                "version": picture.version if picture is not None else 0,
                "age_ms": picture.age_ms(now_ms) if picture is not None else None,
                "bound_ms": router.bounds.snapshot_max_ms,
                "stale": router.stale(now_ms),
            },
            "pathways": self.pathways(now_ms),
            "heat": self.heat(),
            "breakers": self.breakers(),
            "moves": router.moves.to_json()[:20],
            "switches": self.switches(),
        }

    def switches(self) -> list[dict[str, object]]:
        """The last moves of sessions, of each its latest, newest first."""
        seen = islice(self._router.sessions.latest(), MAX_SESSIONS)
        moved = [(session.told[-1], session.id) for session in seen if session.moves]
        last = nlargest(MAX_SWITCHES, moved, key=lambda move: move[0].at_ms)
        return [{"session_id": name, **told._asdict()} for told, name in last]

    # -- for the metrics --------------------------------------------------------------------------

    def share_values(self, now_ms: int) -> Value:
        return {(name,): count for name, count in self.shares(now_ms).items()}

    def age_values(self, now_ms: int) -> Value:
        """Seconds since the snapshot that decides was made (RT-15)."""
        picture = self._router.picture
        return {} if picture is None else {(): picture.age_ms(now_ms) / 1000}

    def circuit_values(self) -> Value:
        """1 for each region and CDN whose circuit is not closed."""
        return {(b["region"], b["pathway"], b["circuit"]): 1 for b in self.breakers()}

    def quality_values(self) -> Value:
        picture = self._router.picture
        if picture is None:
            return {}
        return {
            (region, cdn.id): seen.qoe / seen.n
            for region in islice(picture.sites, MAX_REGIONS)
            for cdn, seen in zip(picture.cdns, picture.cells.get(Cell(region), ()), strict=False)
            if seen.n > 0
        }

    def cost_values(self) -> Value:
        """Dollars an hour at the present load."""
        picture = self._router.picture
        if picture is None or "" not in picture.sites:
            return {}
        return {
            (cdn.id,): site.load_mbps * MBPS_TB_PER_HOUR * cdn.price_per_tb
            for cdn, site in zip(picture.cdns, picture.sites[""], strict=True)
        }

    def fill_values(self) -> Value:
        picture = self._router.picture
        if picture is None or "" not in picture.sites:
            return {}
        pairs = zip(picture.cdns, picture.sites[""], strict=True)
        return {(cdn.id,): site.fill for cdn, site in pairs}
