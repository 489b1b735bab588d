"""What an import did, in numbers; the names are those of control-api section 4."""

from msgspec import Struct


class Report(Struct):
    """Counters of the file (CTL-40..58), then of what became of stored events (CTL-63..66)."""

    seen: int = 0
    kept: int = 0
    rejected_bad_time: int = 0  # CTL-50
    skipped_unmapped_channel: int = 0  # CTL-51
    dropped_zero_length: int = 0  # CTL-42
    dropped_duplicate: int = 0  # CTL-43
    replaced_same_start: int = 0  # CTL-44
    split_clump: int = 0  # CTL-45
    derived_stop: int = 0  # CTL-40
    bad_stop: int = 0  # CTL-41
    trimmed_overlap: int = 0  # CTL-46
    cut_long: int = 0  # CTL-48
    gaps: int = 0  # CTL-47
    encoding_overridden: int = 0  # CTL-53
    created: int = 0
    updated: int = 0
    removed: int = 0
    unchanged: int = 0
