"""Every reason a decision or a move can carry: one code from function to log, answer and test."""

from enum import StrEnum


class Reason(StrEnum):
    PRIORITY = "priority"
    PROBE_FAILED = "probe_failed"
    PROBE_SLOW = "probe_slow"
    RECOVERED = "recovered"
    DRAINED = "drained"
    ENABLED = "enabled"
    ALL_OUT = "all_out"
    ALL_DRAINED = "all_drained"


# What the code says to a person, about the pathway that lost or regained its place.
SENTENCES: dict[Reason, str] = {
    Reason.PRIORITY: "static priority, every pathway is healthy",
    Reason.PROBE_FAILED: "probes of {pathway} failed",
    Reason.PROBE_SLOW: "probes of {pathway} were slow",
    Reason.RECOVERED: "{pathway} recovered",
    Reason.DRAINED: "{pathway} was drained by an operator",
    Reason.ENABLED: "{pathway} was enabled by an operator",
    Reason.ALL_OUT: "no pathway is healthy, static priority is kept",
    Reason.ALL_DRAINED: "every pathway is drained, static priority is kept",
}
