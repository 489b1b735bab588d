"""Pictures of outcomes: one HTML page with SVG, no script, nothing from elsewhere."""

from collections.abc import Callable, Sequence
from html import escape

from .figures import Estimate, Row, rows
from .run import Outcome

WIDE, BAR, LEFT, RIGHT = 540, 18, 140, 90
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442", "#000000")
Pick = Callable[[Row], Estimate | None]
SHOWN = ("round-robin-probes", "d-ucb", "d-thompson", "headwater", "oracle")
STYLE = """
body { font: 14px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; color: #222; }
h2 { margin-top: 2.5rem; } h3 { font-size: 1rem; margin: 0 0 .3rem; }
.row { display: flex; flex-wrap: wrap; gap: 1.5rem 2rem; }
svg { background: #fafafa; } text { font: 12px system-ui, sans-serif; fill: #222; }
.key i { display: inline-block; width: .8em; height: .8em; margin: 0 .4em 0 1.2em; }
"""


def page(outcomes: Sequence[Outcome]) -> str:
    """The page for all worlds and policies that were run."""
    gathered = rows(outcomes)
    body = []
    for world in dict.fromkeys(outcome.world for outcome in outcomes):
        of_world = [row for row in gathered if row.world == world]
        first = [o for o in outcomes if o.world == world]
        first = [o for o in first if o.seed == first[0].seed]
        charts = [
            _bars("QoE, points", of_world, lambda r: r.qoe, from_zero=False),
            _bars("Switches per session-hour", of_world, lambda r: r.switches_per_hour),
            _bars("Cost, $ per TB", of_world, lambda r: r.usd_per_tb),
            _bars("drain90, s", of_world, lambda r: r.drain90_s),
            _bars("brown90, s", of_world, lambda r: r.brown90_s),
            _lines("QoE by minute", first),
            *(_areas(f"Shares of CDNs by minute: {o.policy}", o) for o in first),
        ]
        shown = "\n".join(f"<figure>{chart}</figure>" for chart in charts if chart)
        body.append(f'<h2>{escape(world)}</h2>\n<div class="row">{shown}</div>')
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Policies compared</title>'
        f"<style>{STYLE}figure {{ margin: 0; }}</style><h1>Policies compared</h1>"
        "<p>Bars are means over seeds with 95 % intervals; lines and areas show the first seed.</p>"
        f"{''.join(body)}</html>\n"
    )


def _bars(title: str, gathered: Sequence[Row], pick: Pick, *, from_zero: bool = True) -> str:
    found = [(row.policy, each) for row in gathered if (each := pick(row)) is not None]
    if not found:
        return ""
    low = 0.0 if from_zero else min(each.mean for _, each in found) - 2.0
    top = max(each.mean + each.half for _, each in found) or 1.0
    scale = (WIDE - LEFT - RIGHT) / max(top - low, 1e-9)
    parts = []
    for number, (name, each) in enumerate(found):
        y = number * (BAR + 6) + 4
        length = max(0.0, (each.mean - low) * scale)
        left, right = (LEFT + max(0.0, (each.mean + s * each.half - low) * scale) for s in (-1, 1))
        middle = y + BAR / 2
        parts.append(
            f'<text x="{LEFT - 8}" y="{y + 13}" text-anchor="end">{escape(name)}</text>'
            f'<rect x="{LEFT}" y="{y}" width="{length:.1f}" height="{BAR}" '
            f'fill="{"#0072b2" if name == "headwater" else "#b8c4cc"}"/>'
            f'<path d="M{left:.1f} {middle}H{right:.1f}" stroke="#222"/>'
            f'<text x="{right + 6:.1f}" y="{y + 13}">{escape(str(each))}</text>'
        )
    return _figure(title, WIDE, len(found) * (BAR + 6) + 4, "".join(parts))


def _lines(title: str, outcomes: Sequence[Outcome]) -> str:
    shown = [o for o in outcomes if o.policy in SHOWN] or list(outcomes)[:5]
    values = [value for o in shown for value in o.qoe_by_minute]
    if not values:
        return ""
    low, top, high = min(values), max(values), 200
    parts = []
    for number, outcome in enumerate(shown):
        series = outcome.qoe_by_minute
        step = (WIDE - LEFT) / max(1, len(series) - 1)
        dots = " ".join(
            f"{60 + n * step:.1f},{8 + (top - v) / max(top - low, 1e-9) * (high - 16):.1f}"
            for n, v in enumerate(series)
        )
        colour = COLOURS[number % len(COLOURS)]
        parts.append(
            f'<polyline points="{dots}" fill="none" stroke="{colour}" stroke-width="1.5"/>'
        )
    parts.append(f'<text x="4" y="16">{top:.0f}</text><text x="4" y="{high - 4}">{low:.0f}</text>')
    return _figure(title, WIDE, high, "".join(parts), [o.policy for o in shown])


def _areas(title: str, outcome: Outcome) -> str:
    series, high = outcome.share_by_minute, 120
    if not series:
        return ""
    step = (WIDE - LEFT) / max(1, len(series) - 1)
    names = list(outcome.billed_mbps)
    below = [0.0] * len(series)
    parts = []
    for index in range(len(names)):
        above = [b + shares[index] for b, shares in zip(below, series, strict=True)]
        upper = [f"{60 + n * step:.1f},{high * (1 - v):.1f}" for n, v in enumerate(above)]
        lower = [f"{60 + n * step:.1f},{high * (1 - v):.1f}" for n, v in enumerate(below)]
        points = " ".join([*upper, *reversed(lower)])
        parts.append(f'<polygon points="{points}" fill="{COLOURS[index % len(COLOURS)]}"/>')
        below = above
    return _figure(title, WIDE, high, "".join(parts), names)


def _figure(title: str, width: int, height: int, inner: str, key: Sequence[str] = ()) -> str:
    legend = "".join(
        f'<i style="background:{COLOURS[n % len(COLOURS)]}"></i>{escape(name)}'
        for n, name in enumerate(key)
    )
    return (
        f'<h3>{escape(title)}</h3><svg viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" role="img" aria-label="{escape(title)}">{inner}</svg>'
        f'<div class="key">{legend}</div>'
    )
