"""What travels of a single programme."""

from datetime import datetime

from msgspec import field

from control_api.types import Answer, ChannelIds, Lang, Programme, Request


class ProgrammeQuery(Request):
    lang: Lang | None = None


class LiveQuery(Request):
    """Channels by id, joined by comma; none: all of them."""

    channels: ChannelIds | None = None


class Rights(Answer):
    """What may be done with a programme, and until when (CTL-131)."""

    startover: bool
    catchup: bool
    catchup_until: datetime | None
    npvr: bool


class ProgrammeDetail(Programme):
    """A programme with its channel, its title of the catalogue and its rights."""

    channel_id: str = ""
    content_id: str | None = None
    series_crid: str | None = None
    version: int = 1
    langs: list[str] = field(default_factory=list)
    rights: Rights | None = None
