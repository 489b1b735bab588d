"""What operators see of the sources: gauges, and the same as JSON."""

from collections.abc import Callable, Iterator, Mapping

from prometheus_client.core import GaugeMetricFamily

from origin.live.sources import Input
from origin.live.writer import Writer
from runtime.metrics import Sampled

LABELS = ("channel", "track", "source")
GAUGES: dict[str, Sampled] = {
    name: Sampled(f"origin_source_{name}", text, LABELS, kind=GaugeMetricFamily)
    for name, text in (
        ("lag_seconds", "how far a source has fallen behind real time (AB9)"),
        ("media_rate", "seconds of media in a second"),
        ("off_grid_seconds", "how far its newest segment starts from the grid (AB1)"),
        ("stale", "1 while it is more than a segment behind"),
    )
}


def describe(writer: Writer, now_s: float) -> dict[str, dict[str, dict[str, float]]]:
    """track -> source -> figures; `now_s` is of the steady clock."""
    duration_s = writer.channel.duration_s
    return {
        track: {
            i.name: _figures(i, i.stale(now_s, duration_s), now_s) for i in arbiter.inputs.known
        }
        for track, arbiter in writer.tracks.items()
    }


def meter(writers: Mapping[str, Writer], clock: Callable[[], float]) -> list[Callable[[], None]]:
    """Sample the sources of all channels; the returned calls end it."""

    def sample(name: str) -> Callable[[], Mapping[tuple[str, ...], float]]:
        return lambda: {labels: figures[name] for labels, figures in _all(writers, clock())}

    return [family.add(sample(name)) for name, family in GAUGES.items()]


def _all(
    writers: Mapping[str, Writer], now_s: float
) -> Iterator[tuple[tuple[str, ...], dict[str, float]]]:
    for channel, writer in writers.items():
        for track, sources in describe(writer, now_s).items():
            for source, figures in sources.items():
                yield (channel, track, source), figures


def _figures(found: Input, stale: bool, now_s: float) -> dict[str, float]:
    return {
        "lag_seconds": round(found.lag_s(now_s), 3),
        "media_rate": round(found.rate, 3),
        "off_grid_seconds": round(found.off_grid_s, 4),
        "stale": float(stale),
        "bodies": found.bodies,
        "chunks": found.chunks,
    }
