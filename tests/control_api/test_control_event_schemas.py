"""The schema files say what the table says, and read what later versions will write (CTL-171)."""

import copy
import io
import json
from datetime import UTC, datetime
from typing import Any

import fastavro
import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from control_api import events
from control_api.events import generate
from control_api.events.table import FIELDS, TYPES, Type

NOW_MS = 1_700_000_000_000
TEXT = st.text(max_size=40)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "id": st.from_regex(r"\A[A-Za-z0-9_.:-]{1,64}\Z"),
    "text": TEXT,
    "time": st.integers(0, 2**41).map(lambda ms: datetime.fromtimestamp(ms // 1000, UTC)),
    "int": st.integers(-(2**53), 2**53),
    "bool": st.booleans(),
    "texts": st.lists(TEXT, max_size=3),
}
SAMPLES = {
    "id": "x_1",
    "text": "word",
    "time": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    "int": 7,
    "bool": True,
    "texts": ["a", "b"],
}
ALL = pytest.mark.parametrize("described", TYPES.values(), ids=TYPES)


def sample(described: Type, *, whole: bool = True) -> dict[str, Any]:
    names = described.fields if whole else (described.key, *described.required)
    return {name: SAMPLES[FIELDS[name].kind] for name in names}


def validator(described: Type) -> jsonschema.Draft202012Validator:
    schema = generate.json_schema(described)
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(
        schema, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
    )


def written(schema: Any, record: dict[str, Any]) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(copy.deepcopy(schema)), record)
    return out.getvalue()


def read(raw: bytes, writer: Any, reader: Any) -> Any:
    parsed = [fastavro.parse_schema(copy.deepcopy(each)) for each in (writer, reader)]
    return fastavro.schemaless_reader(io.BytesIO(raw), *parsed)


def test_the_files_are_those_of_the_table() -> None:
    """`python -m control_api.events.generate` writes them; former versions may lie beside them."""
    made = generate.files()
    kept = {path.name: path.read_text() for path in generate.FOLDER.iterdir()}
    assert {name: kept.get(name) for name in made} == made
    assert {name.partition(".v")[0] for name in kept} <= set(TYPES)


def test_the_table_uses_what_it_describes() -> None:
    used = {name for each in TYPES.values() for name in each.fields}
    assert used == set(FIELDS)
    for each in TYPES.values():
        assert len(each.fields) == len(set(each.fields)), each.name


@ALL
@pytest.mark.parametrize("whole", [True, False], ids=["whole", "least"])
def test_what_is_emitted_is_valid(described: Type, whole: bool) -> None:
    data = sample(described, whole=whole)
    event = events.make(described.name, data, NOW_MS, event_id="msg_1", traceparent=None)
    raw = events.encode(event)
    validator(described).validate(json.loads(raw))
    assert events.decode(raw).data.keys() == data.keys()
    avro = generate.avro_schema(described)
    back = read(written(avro, data), avro, avro)
    assert {name: value for name, value in back.items() if value is not None} == data


@ALL
def test_what_lacks_or_spoils_a_field_is_not_valid(described: Type) -> None:
    check = validator(described)
    event = events.make(described.name, sample(described), NOW_MS, event_id="msg_1")
    good = json.loads(events.encode(event))
    for name in (described.key, *described.required):
        bad = copy.deepcopy(good)
        del bad["data"][name]
        assert not check.is_valid(bad), name
    for name in described.fields:
        bad = copy.deepcopy(good)
        bad["data"][name] = {"an": "object"}
        assert not check.is_valid(bad), name


@ALL
def test_an_old_reader_reads_a_new_writer_and_the_other_way_round(described: Type) -> None:
    """Forward and backward: tomorrow's version has one field more, which may be missing."""
    old = generate.avro_schema(described)
    new = copy.deepcopy(old)
    new["fields"].append({"name": "later", "type": ["null", "string"], "default": None})
    data = sample(described)
    raw = written(new, data | {"later": "x"})
    assert {k: v for k, v in read(raw, new, old).items() if v is not None} == data
    back = read(written(old, data), old, new)
    assert back.pop("later") is None and back.keys() == data.keys()
    later = json.loads(events.encode(events.make(described.name, data, NOW_MS, event_id="m")))
    later["data"]["later"], later["newer"] = "x", {"y": 1}
    validator(described).validate(later)
    assert events.decode(json.dumps(later).encode()).data["later"] == "x"


@pytest.mark.parametrize(
    ("change", "lost"),
    [
        (lambda fields: None, []),
        (
            lambda fields: fields.append({"name": "n", "type": ["null", "long"], "default": None}),
            [],
        ),
        (lambda fields: fields.append({"name": "n", "type": "long"}), ["n"]),
        (lambda fields: fields.pop(), ["reason"]),
        (lambda fields: fields[0].update(type="long"), ["account_id"]),
        (lambda fields: fields[2].update(type="string"), ["reason"]),
    ],
)
def test_a_version_is_never_changed_in_place(change: Any, lost: list[str]) -> None:
    old = generate.avro_schema(TYPES["account.created"])
    new = copy.deepcopy(old)
    change(new["fields"])
    assert generate.broken(old, new) == lost


@settings(max_examples=40)
@given(st.data())
def test_random_events_agree_with_both_schemas(data: st.DataObject) -> None:
    described = data.draw(st.sampled_from(list(TYPES.values())))
    fields = {
        name: data.draw(VALUES[FIELDS[name].kind])
        for name in described.fields
        if name not in described.optional or data.draw(st.booleans())
    }
    event = events.make(described.name, fields, NOW_MS, event_id="msg_1")
    validator(described).validate(json.loads(events.encode(event)))
    avro = generate.avro_schema(described)
    back = read(written(avro, fields), avro, avro)
    assert {name: value for name, value in back.items() if value is not None} == fields


@given(st.binary(max_size=200))
def test_any_bytes_are_an_event_or_an_error(raw: bytes) -> None:
    try:
        events.decode(raw)
    except events.EventError as error:
        assert error.code == "malformed"
