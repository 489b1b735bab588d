"""Pathways: the CDNs a session may use, by the ids that manifests and steering manifests share.

Source: draft-pantos-hls-rfc8216bis-22 section 7 (PATHWAY-ID); steering ST-12.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

MAX_PATHWAYS = 64
PATHWAY_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


def is_pathway_id(text: str) -> bool:
    """Whether players accept it; `.` and `..` are legal."""
    return PATHWAY_ID.fullmatch(text) is not None


class Admin(StrEnum):
    """What the operator wants of a pathway."""

    ENABLED = "enabled"
    DRAINED = "drained"  # last in lists: no new sessions, and those there leave at their polls
    KILLED = "killed"  # in no list while another is left; those there leave at their polls


@dataclass(frozen=True, slots=True)
class Pathway:
    """A CDN: base URL without a slash at its end; `priority` 0 is the first choice."""

    id: str
    base_url: str
    priority: int = 0
