"""Structured fields: every shared case (RFC 9651), small own ones, and write after read."""

import base64
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdn_router.cmcd.errors import SfvError
from cdn_router.cmcd.sfv import (
    Date,
    DisplayString,
    InnerList,
    Item,
    Member,
    Token,
    parse_dictionary,
    parse_item,
    parse_list,
)
from cdn_router.cmcd.sfv_write import write_dictionary, write_item, write_list

FOLDER = Path(__file__).resolve().parents[3] / "shared/vectors/sfv"
PARSE = {"item": parse_item, "list": parse_list, "dictionary": parse_dictionary}
WRITE: dict[str, Any] = {"item": write_item, "list": write_list, "dictionary": write_dictionary}


def cases(pattern: str) -> list[Any]:
    return [
        pytest.param(case, id=f"{path.stem}-{case['name']}")
        for path in sorted(FOLDER.glob(pattern))
        for case in json.loads(path.read_text(), parse_float=Decimal)
    ]


def bare(value: Any) -> Any:
    """A value as the cases write it."""
    if not isinstance(value, dict):
        return value
    made = {
        "token": Token,
        "date": Date,
        "displaystring": DisplayString,
        "binary": base64.b32decode,
    }
    return made[value["__type"]](value["value"])


def member(case: Any) -> Member:
    value, params = case
    if isinstance(value, list):
        return InnerList(tuple(map(member, value)), _params(params))  # type: ignore[arg-type]
    return Item(bare(value), _params(params))


def _params(pairs: Any) -> dict[str, Any]:
    return {key: bare(value) for key, value in pairs}


def expected(case: dict[str, Any]) -> Any:
    if case["header_type"] == "item":
        return member(case["expected"])
    if case["header_type"] == "list":
        return list(map(member, case["expected"]))
    return {key: member(value) for key, value in case["expected"]}


def typed(value: Any) -> Any:
    """Equality that tells 1 from True, a token from a string, and orders keys."""
    if isinstance(value, dict):
        return [(key, typed(each)) for key, each in value.items()]
    if isinstance(value, list | tuple):
        return [typed(each) for each in value]
    return type(value), value


@pytest.mark.parametrize("case", cases("*.json"))
def test_parse(case: dict[str, Any]) -> None:
    read = PARSE[case["header_type"]]
    text = ", ".join(case["raw"])
    if case.get("must_fail"):
        with pytest.raises(SfvError):
            read(text)
        return
    found = read(text)
    assert typed(found) == typed(expected(case))
    written = WRITE[case["header_type"]](found)
    assert written == ", ".join(case.get("canonical", case["raw"]))


@pytest.mark.parametrize("case", cases("serialisation-tests/*.json"))
def test_write(case: dict[str, Any]) -> None:
    write = WRITE[case["header_type"]]
    if case.get("must_fail"):
        with pytest.raises(SfvError):
            write(expected(case))
        return
    assert write(expected(case)) == ", ".join(case["canonical"])


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (
            "a=(5000;v 320;a)",
            {"a": InnerList((Item(5000, {"v": True}), Item(320, {"a": True})), {})},
        ),
        ('a="x\\"y", b', {"a": Item('x"y', {}), "b": Item(True, {})}),
        ("a=1.5;q=?0", {"a": Item(Decimal("1.5"), {"q": False})}),
        ("b=1,a=2,b=3", {"b": Item(3, {}), "a": Item(2, {})}),
        ("", {}),
    ],
)
def test_own_dictionaries(text: str, value: dict[str, Member]) -> None:
    assert typed(parse_dictionary(text)) == typed(value)


@pytest.mark.parametrize("text", ["a=", "a=1,", "A=1", "a=(1", 'a="x', "a=1 b", "a=?2", "a=\u00e9"])
def test_own_refusals(text: str) -> None:
    with pytest.raises(SfvError):
        parse_dictionary(text)


def test_members_are_bounded() -> None:
    with pytest.raises(SfvError, match="too_many"):
        parse_dictionary(",".join(f"k{n}" for n in range(5000)))
    with pytest.raises(SfvError, match="too_many"):
        parse_list("(" + "1 " * 5000 + ")")
    with pytest.raises(SfvError, match="too_many"):
        parse_item("1" + "".join(f";k{n}" for n in range(2000)))


BARE = st.one_of(
    st.booleans(),
    st.integers(-(10**15) + 1, 10**15 - 1),
    st.decimals(-(10**12) + 1, 10**12 - 1, places=3),
    st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E)),
    st.binary(),
    st.from_regex(r"\A[A-Za-z*][A-Za-z0-9:/!]*\Z").map(Token),
    st.text(st.characters(exclude_categories=("Cs",))).map(DisplayString),
    st.integers(-(10**15) + 1, 10**15 - 1).map(Date),
)
KEYS = st.from_regex(r"\A[a-z*][a-z0-9_.*-]*\Z")
ITEM = st.builds(Item, BARE, st.dictionaries(KEYS, BARE, max_size=3))
MEMBER = st.one_of(ITEM, st.builds(InnerList, st.lists(ITEM, max_size=4).map(tuple), st.just({})))


@given(st.dictionaries(KEYS, MEMBER, max_size=5))
def test_what_is_written_is_read_back(members: dict[str, Member]) -> None:
    assert parse_dictionary(write_dictionary(members)) == members


@given(st.text(st.sampled_from('ab=,;("\\) ?0:@%1.-*\t')))
def test_no_text_does_more_than_refuse(text: str) -> None:
    try:
        members = parse_dictionary(text)
    except SfvError:
        return
    assert parse_dictionary(write_dictionary(members)) == members
