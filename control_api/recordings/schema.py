"""The tables of recordings (control-api section 2).

`due_ms` is when the planner has to look at a row again, null when never; partial indices over it
make the planner's cost grow with what is due, not with what there is.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    false,
    text,
)

from control_api.schema import Json, metadata

LIVE = "state in ('requested', 'scheduled', 'recording', 'finalizing', 'completed', 'partial')"


ERROR_CHARS = 32
COPYING = "copy_mode = 'private' and state = 'checking'"


def _ref(name: str, target: str, *, nullable: bool = False) -> Column[str]:
    return Column(name, String(64), ForeignKey(f"{target}.id"), nullable=nullable)


def _partial(name: str, *columns: str, where: str, unique: bool = False) -> Index:
    condition = text(where)
    return Index(name, *columns, unique=unique, sqlite_where=condition, postgresql_where=condition)


recording_rule = Table(
    "recording_rule",
    metadata,
    Column("id", String(64), primary_key=True),
    _ref("account_id", "account"),
    Column("series_crid", String(255)),
    Column("title", Text),
    Column("title_key", String(255)),
    _ref("channel_id", "channel", nullable=True),
    Column("policy", String(8), nullable=False),
    Column("keep_n", BigInteger),
    Column("excluded_seasons", Json, nullable=False),
    Column("pad_before_s", BigInteger, nullable=False),
    Column("pad_after_s", BigInteger, nullable=False),
    Column("state", String(8), nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    CheckConstraint("policy in ('new', 'unique', 'all')", name="policy"),
    CheckConstraint("state in ('active', 'deleted')", name="state"),
    CheckConstraint("(series_crid is null) <> (title_key is null)", name="one_subject"),
    Index(None, "account_id"),
    Index(None, "series_crid"),
    Index(None, "title_key"),
)

# `account_id` '' is everybody: NULL would defeat the key. One that is being released may stand
# beside its successor. What is copied and left is of private ones, in objects, as the origin told.
recording_asset = Table(
    "recording_asset",
    metadata,
    Column("id", String(64), primary_key=True),
    _ref("channel_id", "channel"),
    Column("start_ms", BigInteger, nullable=False),
    Column("end_ms", BigInteger, nullable=False),
    Column("copy_mode", String(16), nullable=False),
    Column("account_id", String(64), nullable=False),
    Column("state", String(16), nullable=False),
    Column("due_ms", BigInteger),
    Column("tries", BigInteger, nullable=False),
    Column("first_ms", BigInteger),
    Column("missing_ms", BigInteger, nullable=False),
    Column("size_bytes", BigInteger),
    Column("tracks", Json),
    Column("copied_objects", BigInteger),
    Column("left_objects", BigInteger),
    Column("copy_error", String(ERROR_CHARS)),
    CheckConstraint(
        "state in ('planned', 'held', 'checking', 'complete', 'partial', 'failed', 'releasing')",
        name="state",
    ),
    CheckConstraint("copy_mode in ('shared', 'private')", name="copy_mode"),
    CheckConstraint("end_ms > start_ms", name="ends_after_start"),
    _partial(
        "uq_recording_asset_range",
        "channel_id",
        "start_ms",
        "end_ms",
        "account_id",
        "copy_mode",
        where="state <> 'releasing'",
        unique=True,
    ),
    _partial("ix_recording_asset_due", "due_ms", where="due_ms is not null"),
    _partial("ix_recording_asset_copying", "end_ms", where=COPYING),
)

recording_gap = Table(
    "recording_gap",
    metadata,
    Column("asset_id", String(64), ForeignKey("recording_asset.id"), primary_key=True),
    Column("track", String(64), primary_key=True),
    Column("start_ms", BigInteger, primary_key=True),
    Column("end_ms", BigInteger, nullable=False),
    Column("cause", String(32), nullable=False),
)

# `event_id` refers to a row that the next import may remove; `programme` names what is shown,
# whenever it is repeated. `counted_s` and `counted_bytes` are what it takes of the quotas.
recording = Table(
    "recording",
    metadata,
    Column("id", String(64), primary_key=True),
    _ref("account_id", "account"),
    _ref("channel_id", "channel"),
    Column("event_id", String(64)),
    Column("programme", String(255)),
    _ref("rule_id", "recording_rule", nullable=True),
    _ref("asset_id", "recording_asset", nullable=True),
    Column("title", Text, nullable=False),
    Column("season_no", BigInteger),
    Column("episode_no", BigInteger),
    Column("prog_start_ms", BigInteger, nullable=False),
    Column("prog_end_ms", BigInteger, nullable=False),
    Column("pad_before_s", BigInteger, nullable=False),
    Column("pad_after_s", BigInteger, nullable=False),
    Column("counted_s", BigInteger, nullable=False),
    Column("counted_bytes", BigInteger, nullable=False, server_default=text("0")),
    Column("state", String(16), nullable=False),
    Column("reason", String(32)),
    Column("protected", Boolean, nullable=False, server_default=false()),
    Column("created_ms", BigInteger, nullable=False),
    Column("expires_ms", BigInteger),
    Column("due_ms", BigInteger),
    Column("version", BigInteger, nullable=False),
    CheckConstraint(
        "state in ('requested', 'scheduled', 'recording', 'finalizing', 'completed', 'partial',"
        " 'failed', 'cancelled', 'expired', 'deleted')",
        name="state",
    ),
    CheckConstraint("prog_end_ms > prog_start_ms", name="ends_after_start"),
    _partial("uq_recording_event", "account_id", "event_id", where=LIVE, unique=True),
    _partial("ix_recording_due", "due_ms", where="due_ms is not null"),
    _partial("ix_recording_state_due", "state", "due_ms", where="due_ms is not null"),
    Index(None, "account_id", "prog_start_ms", "id"),
    Index(None, "account_id", "state", "prog_start_ms", "id"),
    Index(None, "account_id", "id"),
    Index(None, "state", "id"),
    Index(None, "account_id", "programme"),
    Index(None, "asset_id", "state"),
    Index(None, "channel_id", "state"),
    Index(None, "rule_id"),
)

quota = Table(
    "quota",
    metadata,
    Column("account_id", String(64), ForeignKey("account.id"), primary_key=True),
    Column("used_s", BigInteger, nullable=False),
    Column("reserved_s", BigInteger, nullable=False),
    Column("used_bytes", BigInteger, nullable=False, server_default=text("0")),
    Column("reserved_bytes", BigInteger, nullable=False, server_default=text("0")),
    CheckConstraint("used_s >= 0 and reserved_s >= 0", name="not_negative"),
    CheckConstraint("used_bytes >= 0 and reserved_bytes >= 0", name="bytes_not_negative"),
)

# A channel whose schedule was written; rules up to `after_rule` have seen it.
schedule_change = Table(
    "schedule_change",
    metadata,
    Column(
        "seq", BigInteger().with_variant(Integer(), "sqlite"), primary_key=True, autoincrement=True
    ),
    Column("channel_id", String(64), nullable=False),
    Column("after_rule", String(64), nullable=False, server_default=text("''")),
)
