"""The tables of control-api section 2 that this release needs, one file a noun."""

from control_api.schema.accounts import (
    account,
    credential,
    device,
)
from control_api.schema.base import (
    Json,
    metadata,
)
from control_api.schema.guide import (
    channel_source,
    epg_event,
    epg_event_text,
    epg_import_run,
    epg_source,
)
from control_api.schema.sales import (
    entitlement,
    offer,
    package,
    package_content,
)
from control_api.schema.sessions import (
    playback_session,
)
from control_api.schema.titles import (
    SORT_CHARS,
    asset,
    channel,
    content,
    content_age,
    content_text,
    rights_window,
)

__all__ = [
    "SORT_CHARS",
    "Json",
    "account",
    "asset",
    "channel",
    "channel_source",
    "content",
    "content_age",
    "content_text",
    "credential",
    "device",
    "entitlement",
    "epg_event",
    "epg_event_text",
    "epg_import_run",
    "epg_source",
    "metadata",
    "offer",
    "package",
    "package_content",
    "playback_session",
    "rights_window",
]
