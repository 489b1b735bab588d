"""The schema files of all events, from the table (CTL-171).

`python -m control_api.events.generate` writes them.

JSON Schema (draft 2020-12) describes the whole CloudEvents object; Avro (1.11) its data, for
those who keep events in columns. Both let a reader of today read what a later version adds: JSON
objects are open, and an Avro field that may be missing is null by default.
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from control_api import ids
from control_api.events.envelope import MAX_TEXT_CHARS, MAX_TEXTS, SOURCE
from control_api.events.table import FIELDS, TYPES, Kind, Type

FOLDER: Final = Path(__file__).parent / "schemas"
_TEXT: Final = {"type": "string", "maxLength": MAX_TEXT_CHARS}
_JSON: Final[Mapping[Kind, dict[str, Any]]] = {
    "id": {"type": "string", "pattern": ids.PATTERN},
    "text": _TEXT,
    "time": {"type": "string", "format": "date-time"},
    "int": {"type": "integer", "minimum": -(2**53), "maximum": 2**53},
    "bool": {"type": "boolean"},
    "texts": {"type": "array", "items": _TEXT, "maxItems": MAX_TEXTS},
}
_AVRO: Final[Mapping[Kind, Any]] = {
    "id": "string",
    "text": "string",
    "time": {"type": "long", "logicalType": "timestamp-millis"},
    "int": "long",
    "bool": "boolean",
    "texts": {"type": "array", "items": "string"},
}


def json_schema(described: Type) -> dict[str, Any]:
    """The CloudEvents object of one type."""
    data = {
        "type": "object",
        "properties": {
            name: {"description": FIELDS[name].doc, **_JSON[FIELDS[name].kind]}
            for name in described.fields
        },
        "required": [described.key, *described.required],
    }
    properties = {
        "specversion": {"const": "1.0"},
        "id": {"type": "string", "pattern": ids.PATTERN},
        "source": {"const": SOURCE},
        "type": {"const": described.name},
        "subject": {"type": "string", "description": f"the same as data.{described.key}"},
        "time": _JSON["time"],
        "datacontenttype": {"const": "application/json"},
        "dataschema": {"const": described.schema_id},
        "traceparent": {"type": "string"},
        "data": data,
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": described.schema_id,
        "title": described.name,
        "type": "object",
        "properties": properties,
        "required": [name for name in properties if name != "traceparent"],
    }


def avro_schema(described: Type) -> dict[str, Any]:
    """The data of one type as a record."""
    *space, name = described.name.split(".")
    must = {described.key, *described.required}
    return {
        "type": "record",
        "name": name,
        "namespace": ".".join(("headwater", *space, f"v{described.version}")),
        "fields": [
            {"name": field, "type": _AVRO[FIELDS[field].kind], "doc": FIELDS[field].doc}
            if field in must
            else {
                "name": field,
                "type": ["null", _AVRO[FIELDS[field].kind]],
                "default": None,
                "doc": FIELDS[field].doc,
            }
            for field in described.fields
        ],
    }


def files() -> dict[str, str]:
    """Name -> text of every schema file."""
    made: dict[str, str] = {}
    for each in TYPES.values():
        stem = f"{each.name}.v{each.version}"
        made[f"{stem}.schema.json"] = json.dumps(json_schema(each), indent=1) + "\n"
        made[f"{stem}.avsc"] = json.dumps(avro_schema(each), indent=1) + "\n"
    return made


def broken(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """What keeps readers and writers of two Avro records of one version apart, if anything."""
    before = {each["name"]: each for each in old["fields"]}
    after = {each["name"]: each for each in new["fields"]}
    moved = [name for name in before if name not in after]
    moved += [name for name in before.keys() & after if before[name]["type"] != after[name]["type"]]
    return moved + [name for name in after.keys() - before if "default" not in after[name]]


def main() -> None:
    """Write the files. Those of former versions stay: somebody may still read by them."""
    FOLDER.mkdir(exist_ok=True)
    made = files()
    for name, text in made.items():
        path = FOLDER / name
        if path.suffix == ".avsc" and path.exists():
            lost = broken(json.loads(path.read_text()), json.loads(text))
            if lost:
                sys.exit(f"{name}: {', '.join(sorted(lost))} changed; make it the next version")
    for name, text in made.items():
        (FOLDER / name).write_text(text)


if __name__ == "__main__":
    main()
