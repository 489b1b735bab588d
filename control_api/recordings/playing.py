"""A recording as something to play: its asset's path, and where the programme begins in it."""

from sqlalchemy import String, bindparam, func, select

from control_api.recordings.schema import recording, recording_asset
from control_api.schema import channel, content, epg_event

PLAYABLE = ("recording", "finalizing", "completed", "partial")


_BEGINS_MS = func.coalesce(recording_asset.c.first_ms, recording_asset.c.start_ms)

# `asset_id` (CTL-111) and `offset_ms`, how far the programme begins behind the asset's first byte
# (CTL-128); when it was on air and what its title and its channel say of ages (CTL-77). No row
# while there is nothing.
RECORDED = (
    select(
        recording.c.id,
        recording.c.account_id,
        recording.c.title,
        recording.c.channel_id,
        recording.c.asset_id,
        (channel.c.status == "published").label("published"),
        (recording.c.prog_start_ms - _BEGINS_MS).label("offset_ms"),
        recording.c.prog_start_ms,
        recording.c.prog_end_ms,
        content.c.min_age,
        content.c.rating,
        channel.c.min_age.label("channel_age"),
    )
    .join(recording_asset, recording_asset.c.id == recording.c.asset_id)
    .join(channel, channel.c.id == recording.c.channel_id)
    .outerjoin(epg_event, epg_event.c.id == recording.c.event_id)
    .outerjoin(content, content.c.id == epg_event.c.content_id)
    .where(recording.c.state.in_(PLAYABLE))
)
FIND = RECORDED.where(
    # Not required: a list of states is spelled before the statement has values.
    recording.c.id == bindparam("target", type_=String, required=False)
)
