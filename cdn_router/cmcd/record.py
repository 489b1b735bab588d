"""A CMCD record as Python values: the same form for v1 and v2, all transports and modes.

Integers, floats, booleans and texts stand for themselves (tokens are plain texts); a value with
parameters is a `Valued`, an inner list a Python list of either.
"""

from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

from .tables import KEYS, LATEST, Kind

Scalar: TypeAlias = bool | int | float | str


class Valued(NamedTuple):
    """A value and its parameters, such as `5000;v`."""

    value: Scalar
    params: dict[str, Scalar]


Element: TypeAlias = Scalar | Valued
Value: TypeAlias = Element | list[Element]
Data: TypeAlias = dict[str, Value]


class Note(NamedTuple):
    """Something about a record that is not right: a code of `notes` and the key it is about."""

    code: str
    key: str = ""


class Record(NamedTuple):
    data: Data
    notes: tuple[Note, ...] = ()

    @property
    def version(self) -> int:
        version = self.data.get("v", 1)
        return version if isinstance(version, int) else 1


def bare(element: Element) -> Scalar:
    """The value without its parameters."""
    return element.value if isinstance(element, Valued) else element


def upgrade(data: Mapping[str, Value]) -> Data:
    """v1 data in the forms of v2: typed scalars become lists, `nrr` a parameter of `nor`."""
    found: Data = {}
    for name, value in data.items():
        key = KEYS.get(name)
        typed = key is not None and key.kind in (Kind.INTEGERS, Kind.STRINGS)
        found[name] = [value] if typed and not isinstance(value, list) else value
    next_range, objects = found.pop("nrr", None), found.get("nor")
    if isinstance(next_range, str) and isinstance(objects, list) and objects:
        found["nor"] = [Valued(bare(objects[0]), {"r": next_range}), *objects[1:]]
    if "v" in found:
        found["v"] = LATEST
    return found


def plain(value: Value) -> object:
    """For JSON: parameters become `{"value": ..., "params": {...}}`."""
    if isinstance(value, Valued):
        return {"value": value.value, "params": value.params}
    if isinstance(value, list):
        return [plain(element) for element in value]
    return value
