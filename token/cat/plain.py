"""Claims to and from JSON: labels by name, bytes as hex, tags spelled out."""

from collections.abc import Mapping
from typing import Any

from cat.cbor import Tag, Value
from cat.tables import Profile


def to_plain(claims: Mapping[Value, Value], profile: Profile) -> dict[str, object]:
    """Claims as JSON shows them; a label the profile does not know stays a number."""
    named = {}
    for label, value in claims.items():
        claim = profile.claims.get(label) if isinstance(label, int) else None
        named[claim.name if claim else str(label)] = _plain(value)
    return named


def _plain(value: object) -> object:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Tag):
        return {"tag": value.number, "value": _plain(value.value)}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {
            key if isinstance(key, str) else str(_plain(key)): _plain(item)
            for key, item in value.items()
        }
    return value


def from_plain(value: Any) -> Any:
    """The inverse for issuing: `{"hex": "00ff"}` is bytes, `{"tag": 52, "value": ..}` a tag,
    decimal keys are labels. Raises ValueError.
    """
    if isinstance(value, list):
        return [from_plain(item) for item in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == {"hex"}:
        return bytes.fromhex(value["hex"])
    if value.keys() == {"tag", "value"}:
        return Tag(int(value["tag"]), from_plain(value["value"]))
    return {_label(key): from_plain(item) for key, item in value.items()}


def _label(key: str) -> str | int:
    return int(key) if key.removeprefix("-").isdigit() and key.isascii() else key
