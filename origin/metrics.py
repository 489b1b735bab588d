"""What the origin counts (Prometheus); label values come from fixed sets."""

from collections.abc import Callable, Mapping

from prometheus_client.core import GaugeMetricFamily

from runtime.metrics import Sampled, Source, counter

BYTES = counter("origin_ingest_bytes", "media bytes stored")
CHUNKS = counter("origin_ingest_chunks", "CMAF chunks stored")
REFUSALS = counter("origin_ingest_refusals", "pushes refused", ("status", "code"))
REDUNDANT = counter("origin_redundant_chunks", "chunks kept aside for another source's segment")
FAILOVERS = counter("origin_failovers", "segments that another source saved", ("way",))
EVENTS = counter("origin_events", "timed metadata heard, by what became of it", ("fate",))
LEAPS = counter("origin_timestamp_leaps", "encoder times that leapt within a body", ("direction",))
RELAYED = counter("origin_ingest_relayed", "pushes handed to another worker", ("result",))
FOLLOW_ERRORS = counter("origin_follow_errors", "channels of another worker that did not read")
REPLICA_ERRORS = counter("origin_replica_errors", "work among machines that failed", ("work",))
CATCH_UPS = counter("origin_replica_catch_ups", "copies filled up from the peer's files")
KEYS_FAILED = counter("origin_keys_failed", "key sources that gave no key", ("code",))
KEYS_STOOD = counter("origin_keys_stood", "key periods that kept the key before (PR-43)")
DISK_FULL = counter("origin_disk_full", "writes that the disk did not take")
DISK_FREE = Sampled("origin_disk_free_bytes", "space left for live media", kind=GaugeMetricFamily)
DISK_SHORT = Sampled(
    "origin_disk_short", "1 while media leaves before its time", kind=GaugeMetricFamily
)
ARCHIVED = counter("origin_archive_bytes", "media bytes stored in the archive and checked")
ARCHIVE_ERRORS = counter("origin_archive_errors", "refusals of the archive's store", ("code",))
ARCHIVE_BACKLOG = Sampled(
    "origin_archive_backlog_bytes", "media that is not archived yet", kind=GaugeMetricFamily
)
ARCHIVE_LATE = Sampled(
    "origin_archive_late_seconds",
    "for how long the archive's store has failed; 0 when all is well",
    kind=GaugeMetricFamily,
)
COPIED = counter("origin_copied_bytes", "media bytes stored in private copies")
COPY_ERRORS = counter("origin_copy_errors", "failures of work on private copies", ("code",))
COPIES = Sampled("origin_copies", "private copies by state", ("state",), kind=GaugeMetricFamily)
COPY_BYTES = Sampled(
    "origin_copy_bytes", "media in the objects of private copies", kind=GaugeMetricFamily
)
HOT_BYTES = Sampled("origin_hot_bytes", "live media in memory", kind=GaugeMetricFamily)
EDGE_AGE = Sampled(
    "origin_live_edge_age_seconds",
    "wall clock minus the end of the newest published segment",
    ("channel",),
    kind=GaugeMetricFamily,
)
LATE = Sampled("origin_late_chunks", "chunks that came after their number was published")
SESSIONS = Sampled("origin_anchored_sessions", "encoder sessions without epoch time")

DENIED = Sampled("origin_access_denied", "requests without access (O14)", ("channel", "code"))
SKEW = Sampled(
    "origin_g2o_skew_seconds",
    "clock of the newest signed edge request minus ours (O31)",
    ("channel",),
    kind=GaugeMetricFamily,
)
OVERFLOWS = Sampled(
    "origin_g2o_overflows", "times that seen ids were forgotten before their time", ("channel",)
)
DURESS = Sampled(
    "origin_duress", "1 while answers tell CDNs of duress (O27)", kind=GaugeMetricFamily
)

# How the delivery protocol names its counts -> metric; a name that ends in _ leads to label values
DELIVERY: dict[str, Sampled] = {
    "connections_open": Sampled(
        "origin_delivery_open_connections", "connections now", kind=GaugeMetricFamily
    ),
    "connections_": Sampled("origin_delivery_connections", "connections by fate", ("fate",)),
    "requests": Sampled("origin_delivery_requests", "requests read"),
    "hot_hits": Sampled("origin_delivery_hot_hits", "answers straight from the hot table"),
    "octets": Sampled("origin_delivery_bytes", "bytes handed to the network"),
    "answers_": Sampled("origin_delivery_answers", "answers by status", ("status",)),
    "refused_": Sampled("origin_delivery_refusals", "requests refused by the protocol", ("code",)),
    "aborts_": Sampled("origin_delivery_aborts", "answers cut short", ("reason",)),
    "timeouts_": Sampled("origin_delivery_timeouts", "waits that ended", ("phase",)),
    "gates_": Sampled("origin_delivery_held", "held requests by fate", ("fate",)),
    "state_": Sampled(
        "origin_delivery_states",
        "connections now, by what they wait for",
        ("state",),
        kind=GaugeMetricFamily,
    ),
    "queue_octets": Sampled(
        "origin_delivery_queued_bytes",
        "of all objects that somebody still has to take",
        kind=GaugeMetricFamily,
    ),
}


def meter_delivery(counters: Callable[[], Mapping[str, int]]) -> list[Callable[[], None]]:
    """Sample a delivery server's counters; the returned calls end it."""
    return [family.add(_source(name, counters)) for name, family in DELIVERY.items()]


def _source(name: str, counters: Callable[[], Mapping[str, int]]) -> Source:
    if not name.endswith("_"):
        return lambda: {(): float(counters()[name])}
    return lambda: {
        (full.removeprefix(name),): float(value)
        for full, value in counters().items()
        if full.startswith(name) and full not in DELIVERY
    }
