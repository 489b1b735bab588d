"""What travels of jobs."""

from datetime import datetime
from typing import Any, Literal

from control_api.types import Answer, Page

Kind = Literal["guide_import", "catalog_import", "recording_copy", "dlq_replay", "purge"]
State = Literal["queued", "running", "held", "done", "failed", "cancelled"]


class Job(Answer):
    """`done` of `total` where it can be counted; `error` is a code, `detail` says more of it or why
    a guide is held. `asked_by` is null for what a command began.
    """

    id: str
    kind: Kind
    state: State
    target: str | None
    asked_by: str | None
    asked_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    done: int
    total: int | None
    error: str | None
    detail: str | None


class JobDetail(Job, kw_only=True):
    """With what came of it, in the words of its kind."""

    report: dict[str, Any] | None


class JobPage(Page):
    """Of all kinds and states, or of one."""

    kind: Kind | None = None
    state: State | None = None


class JobList(Answer):
    items: list[Job]
    next_cursor: str | None
