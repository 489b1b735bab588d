"""The rules the probe knows, one table a subject; ids and levels are those of specs/."""

from headwater.probe.model import Evidence, Finding
from headwater.probe.rules import (
    boxes,
    dash_history,
    dash_low,
    dash_one,
    delivery,
    directives,
    hls_across,
    hls_history,
    hls_one,
)

__all__ = ["RULES", "check"]

RULES = (
    *hls_one.RULES,
    *hls_history.RULES,
    *hls_across.RULES,
    *dash_one.RULES,
    *dash_low.RULES,
    *dash_history.RULES,
    *boxes.RULES,
    *directives.RULES,
    *delivery.RULES,
)
MOST_ALIKE = 5  # findings of one rule on one URL


def check(seen: Evidence) -> list[Finding]:
    """Every breach of every rule in the table's order, each once, a few per rule and URL."""
    findings: list[Finding] = []
    for rule in RULES:
        told: set[tuple[str, str]] = set()
        count: dict[str, int] = {}
        for breach in rule.find(seen):
            if (breach.url, breach.wrong) in told:
                continue
            told.add((breach.url, breach.wrong))
            count[breach.url] = count.get(breach.url, 0) + 1
            if count[breach.url] <= MOST_ALIKE:
                findings.append(
                    Finding(rule.id, rule.level, breach.url, breach.line, breach.wrong, rule.text)
                )
    return findings
