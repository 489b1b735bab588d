"""Every shared CMCD and CMSD case (CM-5), the reference library's known deviations taken out."""

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import pytest

from cdn_router.cmcd.decode import decode, decode_headers
from cdn_router.cmcd.encode import KEPT_IN_QUERY, encode, encode_headers, encode_query
from cdn_router.cmcd.record import Valued, plain, upgrade
from cdn_router.cmcd.sfv import Token
from cdn_router.cmcd.tables import Header, Mode

FILE = Path(__file__).resolve().parents[3] / "shared/vectors/cmcd.json"
VECTORS: list[dict[str, Any]] = json.loads(FILE.read_text())["vectors"] if FILE.exists() else []
# The file's notes: no key of the standard; MUST NOT stand beside br, lb, tb; not with `ot=m`.
NOT_OURS = re.compile(r"(?:^|,)(?:cdn|ab|lab|tab|d|tpb)=[^,]*(?=,|$)")

pytestmark = pytest.mark.skipif(not FILE.exists(), reason="the shared vectors are not here")


def cases(*operations: str) -> list[Any]:
    return [pytest.param(c, id=c["id"]) for c in VECTORS if c["op"] in operations]


def made(value: Any) -> Any:
    """A value of a case as our encoder takes it."""
    if isinstance(value, list):
        return [made(each) for each in value]
    if not isinstance(value, dict):
        return value
    return Token(value["_sf_token"]) if "_sf_token" in value else Valued(**value)


def arguments(case: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    options = case.get("options", {})
    names = {"version": "version", "filterKeys": "keys"}
    data = {name: made(value) for name, value in case["input"].items()}
    return data, {names[name]: value for name, value in options.items() if name in names}


def conforming(text: str, data: dict[str, Any]) -> str:
    return NOT_OURS.sub("", text).removeprefix(",") if "cdn" in data else text


@pytest.mark.parametrize("case", cases("encode"))
def test_encode(case: dict[str, Any]) -> None:
    data, options = arguments(case)
    mode = Mode(case["options"].get("mode", "request"))
    assert encode(data, mode=mode, **options) == conforming(case["expect"], data)


@pytest.mark.parametrize("case", cases("encode-contains"))
def test_what_an_event_is_about_survives_a_filter(case: dict[str, Any]) -> None:
    data, options = arguments(case)
    text = encode(data, mode=Mode.EVENT, now_ms=1, **options)
    assert all(part in text for part in case["expect_contains"])


@pytest.mark.parametrize("case", cases("encode-headers"))
def test_encode_headers(case: dict[str, Any]) -> None:
    data, options = arguments(case)
    places = case["options"].get("customHeaderMap", {})
    found = encode_headers(
        data, custom={Header(h): names for h, names in places.items()}, **options
    )
    assert found == {name: conforming(text, data) for name, text in case["expect"].items()}


@pytest.mark.parametrize("case", cases("encode-query"))
def test_encode_query(case: dict[str, Any]) -> None:
    data, options = arguments(case)
    text = conforming(unquote(case["expect"].removeprefix("CMCD=")), data)
    assert encode_query(data, **options) == "CMCD=" + quote(text, safe=KEPT_IN_QUERY)


@pytest.mark.parametrize("case", cases("decode"))
def test_decode(case: dict[str, Any]) -> None:
    data = decode(case["wire"]).data
    if case["options"].get("convertToLatest"):
        data = upgrade(data)
    expected = {name: value for name, value in case["expect"].items() if name != "cdn"}
    assert {name: plain(value) for name, value in data.items()} == expected


@pytest.mark.parametrize("case", cases("decode-headers"))
def test_decode_headers(case: dict[str, Any]) -> None:
    record = decode_headers(case["wire"])
    assert record is not None and record.data == case["expect"]


def test_no_case_is_left_out() -> None:
    played = cases(
        "encode", "encode-contains", "encode-headers", "encode-query", "decode", "decode-headers"
    )
    assert len(played) == len(VECTORS)
