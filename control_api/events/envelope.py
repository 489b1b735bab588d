"""An event on its way: a CloudEvents 1.0 JSON object around the data that the table describes.

Source: CloudEvents 1.0.2, JSON event format sections 2 and 3; its distributed tracing extension
(`traceparent`); control-api CTL-171.
"""

import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec

from control_api.events.table import FIELDS, TYPES, Kind, Type
from control_api.ids import VALID
from control_api.times import utc

SOURCE: Final = "/headwater/control"
MAX_TEXT_CHARS: Final = 1_024
MAX_TEXTS: Final = 64
MAX_BYTES: Final = 20_000  # so that it fits a webhook (CTL-150)
_TYPE: Final = re.compile(r"[a-z_]+(\.[a-z_]+)+")


class EventError(ValueError):
    """`code`: unknown_type, unknown_field, missing_field, bad_value, malformed or too_large; of a
    letter also gone.
    """

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code


class Event(msgspec.Struct, frozen=True, omit_defaults=True):
    """One event; `time` is when it happened, `subject` orders it."""

    id: str
    type: str
    subject: str
    time: datetime
    dataschema: str
    data: dict[str, Any]
    traceparent: str | None = None
    source: str = msgspec.field(default=SOURCE)
    specversion: str = msgspec.field(default="1.0")

    @property
    def domain(self) -> str:
        return self.type.partition(".")[0]


class _Written(msgspec.Struct, frozen=True):
    """The members in the order in which people look for them."""

    specversion: str
    id: str
    source: str
    type: str
    subject: str
    time: datetime
    datacontenttype: str
    dataschema: str
    traceparent: str | msgspec.UnsetType
    data: dict[str, Any]


def make(
    event_type: str,
    data: Mapping[str, Any],
    now_ms: int,
    *,
    event_id: str,
    traceparent: str | None = None,
) -> Event:
    """A checked event. Times in `data` are aware datetimes; None stands for a field left out.

    Raises EventError: whoever emits has a bug, or the table has one.
    """
    described = TYPES.get(event_type)
    if described is None:
        raise EventError("unknown_type", event_type)
    given = {name: value for name, value in data.items() if value is not None}
    check(described, given)
    subject = str(given[described.key])
    return Event(
        event_id, event_type, subject, utc(now_ms), described.schema_id, given, traceparent
    )


def check(described: Type, data: Mapping[str, Any]) -> None:
    """Exactly the fields of the table, each of its kind."""
    for name in (described.key, *described.required):
        if name not in data:
            raise EventError("missing_field", f"{described.name}.{name}")
    fits = _FIELDS_FIT[described.name]
    for name, value in data.items():
        if name not in fits:
            raise EventError("unknown_field", f"{described.name}.{name}")
        if not fits[name](value):
            raise EventError("bad_value", f"{described.name}.{name} is no {FIELDS[name].kind}")


def encode(event: Event) -> bytes:
    """The JSON object. Raises EventError `too_large`."""
    raw = _WRITE(
        _Written(
            event.specversion,
            event.id,
            event.source,
            event.type,
            event.subject,
            event.time,
            "application/json",
            event.dataschema,
            event.traceparent or msgspec.UNSET,
            event.data,
        )
    )
    if len(raw) > MAX_BYTES:
        raise EventError("too_large", f"{event.type} takes {len(raw)} bytes")
    return raw


def decode(raw: bytes) -> Event:
    """An event as it was sent, of any version: fields that we do not know are kept.

    Raises EventError `malformed`.
    """
    if len(raw) > MAX_BYTES:
        raise EventError("malformed", "longer than any event")
    try:
        event = _READER.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise EventError("malformed", "not a CloudEvents object") from None
    if event.specversion != "1.0" or not _TYPE.fullmatch(event.type):
        raise EventError("malformed", "not of our kind")
    return event


_READER: Final = msgspec.json.Decoder(Event)
_WRITE: Final = msgspec.json.Encoder().encode


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= MAX_TEXT_CHARS


def _is_time(value: Any) -> bool:
    return isinstance(value, datetime) and value.utcoffset() == timedelta(0)


_FITS: Final[dict[Kind, Callable[[Any], bool]]] = {
    "id": lambda value: isinstance(value, str) and VALID.fullmatch(value) is not None,
    "text": _is_text,
    "time": _is_time,
    "int": lambda value: type(value) is int and -(2**53) <= value <= 2**53,
    "bool": lambda value: isinstance(value, bool),
    "texts": lambda value: (
        isinstance(value, list) and len(value) <= MAX_TEXTS and all(map(_is_text, value))
    ),
}
_FIELDS_FIT: Final = {
    each.name: {name: _FITS[FIELDS[name].kind] for name in each.fields} for each in TYPES.values()
}
