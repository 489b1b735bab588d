"""What the origin counts (Prometheus); label values come from fixed sets."""

from prometheus_client.core import GaugeMetricFamily

from runtime.metrics import Sampled, counter

BYTES = counter("origin_ingest_bytes", "media bytes stored")
CHUNKS = counter("origin_ingest_chunks", "CMAF chunks stored")
REFUSALS = counter("origin_ingest_refusals", "pushes refused", ("status", "code"))
HOT_BYTES = Sampled("origin_hot_bytes", "live media in memory", kind=GaugeMetricFamily)
EDGE_AGE = Sampled(
    "origin_live_edge_age_seconds",
    "wall clock minus the end of the newest published segment",
    ("channel",),
    kind=GaugeMetricFamily,
)
LATE = Sampled("origin_late_chunks", "chunks that came after their number was published")
