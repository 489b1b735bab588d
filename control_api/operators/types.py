"""What travels to operators; a session's token and manifests stay with its player."""

from datetime import datetime

from control_api.recordings.shapes import Recording, State
from control_api.types import Answer, Id, Page


class SeenSession(Answer):
    """`ended_at` and `end_reason` once it is over; `position_ms` as its last heartbeat told. `cti`
    is its token's id, under which the router, the proxy and CDNs' logs know it.
    """

    id: str
    cti: str
    account_id: str
    device_id: str
    kind: str
    target_id: str
    cdn: str | None
    started_at: datetime
    last_seen_at: datetime
    ended_at: datetime | None
    end_reason: str | None
    position_ms: int | None


class RecordingPage(Page):
    """Which recordings; limit and cursor are of those asked for last."""

    state: State | None = None
    account_id: Id | None = None


class DueRecording(Recording, kw_only=True):
    """`due_at` is when the planner looks at it again; null in `latest` while it is recorded."""

    account_id: str
    due_at: datetime | None


class PrivateCopy(Answer):
    """A private copy in the making (CTL-127): `left_objects` of what is known of it are not copied
    yet, and `error` is what made it wait. Null until the origin has told.
    """

    asset_id: str
    account_id: str
    channel_id: str
    ended_at: datetime
    copied_objects: int | None
    left_objects: int | None
    error: str | None


class SeenRecordings(Answer):
    """`due` the next first, `latest` as they were asked for, the newest first, and the cursor
    behind them; `copying`, of what has ended, those that take longest first, whatever was asked.
    """

    due: list[DueRecording]
    latest: list[DueRecording]
    copying: list[PrivateCopy]
    next_cursor: str | None
