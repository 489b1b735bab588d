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
    STALE = "stale"
    STICKY = "sticky"
    WEIGHTED = "weighted"
    TRIED = "tried"
    # What policies say (policies/face.py), in a sentence.
    POLICY_STARTED = "policy_started"
    POLICY_STAYED = "policy_stayed"
    POLICY_BETTER = "policy_better"
    POLICY_BALANCED = "policy_balanced"
    POLICY_BREAKER = "policy_breaker"
    POLICY_DRAINED = "policy_drained"
    POLICY_REFUSED = "policy_refused"
    POLICY_LAST_RESORT = "policy_last_resort"


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
    Reason.STALE: "what is known of quality is too old, static priority is kept",
    Reason.STICKY: "a rule keeps the session on {pathway} while that works",
    Reason.TRIED: "{pathway} failed here, and this session is the one to see how it is now",
    Reason.WEIGHTED: "a rule's weights give the session to {pathway}",
    Reason.POLICY_STARTED: "a new session, drawn for {pathway}",
    Reason.POLICY_STAYED: "nothing is better than {pathway} by enough",
    Reason.POLICY_BETTER: "{pathway} is better by more than the threshold",
    Reason.POLICY_BALANCED: "moved to {pathway}: its CDN carried more than its share",
    Reason.POLICY_BREAKER: "moved to {pathway}: its CDN fails here",
    Reason.POLICY_DRAINED: "moved to {pathway}: its CDN is drained",
    Reason.POLICY_REFUSED: "moved to {pathway}: a rule forbids its CDN",
    Reason.POLICY_LAST_RESORT: "nothing usable is left, {pathway} is a hope",
}
