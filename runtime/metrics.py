"""Metrics: prometheus-client's default registry and its text form, plus counters that are read only
when scraped.

An increment costs about 3 us (CMP-28), so hot paths count in C or in plain integers and register a
`Sampled` source. Label values come from fixed sets, never from a path, an id or a token.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

__all__ = ["CONTENT_TYPE", "Sampled", "Source", "counter", "exposition", "gauge", "histogram"]

CONTENT_TYPE = CONTENT_TYPE_LATEST
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

Source = Callable[[], Mapping[tuple[str, ...], float]]


def counter(name: str, help: str, labels: Sequence[str] = ()) -> Counter:  # noqa: A002
    """A count of events; exposed as `headwater_{name}_total`."""
    return Counter(f"headwater_{name}", help, labels)


def gauge(name: str, help: str, labels: Sequence[str] = ()) -> Gauge:  # noqa: A002
    """A value that goes up and down; exposed as `headwater_{name}`."""
    return Gauge(f"headwater_{name}", help, labels)


def histogram(
    name: str,
    help: str,  # noqa: A002
    labels: Sequence[str] = (),
    buckets: Sequence[float] = SECONDS,
) -> Histogram:
    """Durations in seconds; exposed as `headwater_{name}_bucket`, `_sum`, `_count`."""
    return Histogram(f"headwater_{name}", help, labels, buckets=buckets)


class Sampled(Collector):
    """One metric whose values are asked of its sources at scrape time; equal labels of several
    sources add up.
    """

    def __init__(
        self,
        name: str,
        help: str,  # noqa: A002
        labels: Sequence[str] = (),
        *,
        kind: type[CounterMetricFamily] | type[GaugeMetricFamily] = CounterMetricFamily,
    ) -> None:
        self._name = f"headwater_{name}"
        self._help = help
        self._labels = tuple(labels)
        self._kind = kind
        self._sources: list[Source] = []
        REGISTRY.register(self)

    def add(self, source: Source) -> Callable[[], None]:
        """Ask this source from now on; the returned call ends it."""
        self._sources.append(source)
        return lambda: self._sources.remove(source)

    def describe(self) -> list[Metric]:
        return [self._kind(self._name, self._help, labels=self._labels)]

    def collect(self) -> Iterator[Metric]:
        total: dict[tuple[str, ...], float] = {}
        for source in self._sources:
            for labels, value in source().items():
                total[labels] = total.get(labels, 0.0) + value
        family = self._kind(self._name, self._help, labels=self._labels)
        for labels, value in total.items():
            family.add_metric(labels, value)
        yield family


def exposition() -> bytes:
    """Every metric of this process in Prometheus text form; send it with `CONTENT_TYPE`."""
    return generate_latest(REGISTRY)
