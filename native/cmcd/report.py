"""One report as plain values, for records that a kernel leaves to Python."""

# number, at_ms, status, took_ms, buffer_ms, delay_ms, rate_kbps, bitrate_kbps, top_kbps, errors,
# responded, media, durations_ms, host, source, state: as Witness.observe_report has them.
Report = tuple[
    int, int, int, int, int, int, int, int, int, int, bool, bool, list[int], str, str, str
]
