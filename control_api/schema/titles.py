"""Titles and channels, and when they may be watched."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    String,
    Table,
    Text,
    UniqueConstraint,
    case,
    false,
    text,
)

from control_api.ratings import OLDEST
from control_api.schema.base import WORKFLOW, Json, ends_after_start, key, metadata, ref

SORT_CHARS = 200  # of a title, that lists are sorted by
_UNDERIVED = text("derived_version <> version")

content = Table(
    "content",
    metadata,
    key(),
    Column("kind", String(16), nullable=False),
    ref("parent_id", "content", nullable=True),
    Column("season_no", BigInteger),
    Column("episode_no", BigInteger),
    Column("status", String(16), nullable=False),
    Column("duration_ms", BigInteger),
    Column("year", BigInteger),
    Column("rating", String(16)),
    Column("min_age", BigInteger),
    Column("orig_lang", String(35)),
    Column("sort_title", String(SORT_CHARS), nullable=False, server_default=text("''")),
    Column("popularity", BigInteger, nullable=False, server_default=text("0")),
    Column("version", BigInteger, nullable=False, server_default=text("1")),
    Column("updated_ms", BigInteger, nullable=False),
    Column("published_ms", BigInteger, nullable=False, server_default=text("0")),  # first; 0: never
    Column("age", BigInteger, nullable=False, server_default=text("0")),  # ratings.title_age
    # What `age` and `sort_title` are of; an older release, which does not know them, leaves it.
    Column("derived_version", BigInteger, nullable=False, server_default=text("0")),
    CheckConstraint(
        "kind in ('movie', 'series', 'season', 'episode', 'clip', 'event')", name="kind"
    ),
    CheckConstraint(f"status in {WORKFLOW}", name="status"),
    UniqueConstraint("parent_id", "season_no", "episode_no"),
    Index(None, "kind", "status", "published_ms", "id"),
    Index(None, "updated_ms", "id"),
    *(Index(None, "status", name, "id") for name in ("updated_ms", "published_ms", "sort_title")),
    Index(None, "status", "popularity", "published_ms", "id"),
    Index("ix_content_underived", "id", sqlite_where=_UNDERIVED, postgresql_where=_UNDERIVED),
)
# From which age on a title is; one that is not derived yet could be for anybody.
content_age = case((content.c.derived_version != content.c.version, OLDEST), else_=content.c.age)

content_text = Table(
    "content_text",
    metadata,
    Column("content_id", String(64), ForeignKey("content.id"), primary_key=True),
    Column("lang", String(35), primary_key=True),
    Column("title", Text, nullable=False),
    Column("sort_title", Text, nullable=False),
    Column("synopsis", Text),
)

asset = Table(
    "asset",
    metadata,
    key(),
    ref("content_id", "content"),
    Column("kind", String(16), nullable=False),
    Column("origin_path", Text, nullable=False),
    Column("duration_ms", BigInteger),
    Column("drm_policy", String(32)),
    Column("tracks", Json),
    Column("state", String(16), nullable=False, server_default=text("'ready'")),
    CheckConstraint("kind in ('vod', 'trailer')", name="kind"),
    CheckConstraint("state in ('pending', 'ready', 'failed')", name="state"),
    Index(None, "content_id"),
)

channel = Table(
    "channel",
    metadata,
    key(),
    Column("slug", String(64), nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("name", Text),
    Column("logo_url", Text),
    Column("status", String(16), nullable=False),
    Column("dvr_window_s", BigInteger, nullable=False, server_default=text("0")),
    Column("allow_startover", Boolean, nullable=False, server_default=false()),
    Column("catchup_h", BigInteger, nullable=False, server_default=text("0")),
    Column("allow_npvr", Boolean, nullable=False, server_default=false()),
    Column("copy_mode", String(16), nullable=False, server_default=text("'shared'")),
    Column("min_age", BigInteger),
    Column("popularity", BigInteger, nullable=False, server_default=text("0")),
    Column("version", BigInteger, nullable=False, server_default=text("1")),
    Column("updated_ms", BigInteger, nullable=False, server_default=text("0")),
    CheckConstraint(f"status in {WORKFLOW}", name="status"),
    CheckConstraint("copy_mode in ('shared', 'private')", name="copy_mode"),
    UniqueConstraint("slug"),
    Index(None, "number"),
)

rights_window = Table(
    "rights_window",
    metadata,
    key(),
    ref("content_id", "content", nullable=True),
    ref("channel_id", "channel", nullable=True),
    Column("territory", String(2), nullable=False),
    Column("licence", String(8), nullable=False),
    Column("platform", String(16), nullable=False),
    Column("start_ms", BigInteger, nullable=False),
    Column("end_ms", BigInteger, nullable=False),
    Column("tier", BigInteger),
    Column("max_height", BigInteger),
    Column("hdcp", String(8)),
    Column("offline", Boolean, nullable=False, server_default=false()),
    CheckConstraint("licence in ('svod', 'tvod', 'est', 'avod', 'free')", name="licence"),
    CheckConstraint("(content_id is null) <> (channel_id is null)", name="one_subject"),
    ends_after_start(),
    Index(None, "content_id", "start_ms"),
    Index(None, "channel_id", "start_ms"),
    Index(None, "start_ms", "id"),
    Index(None, "end_ms", "id"),
)
