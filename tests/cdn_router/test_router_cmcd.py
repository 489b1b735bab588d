"""CMCD records: own small cases, tolerances, the ten MUST NOTs on both sides (CM-1..CM-30)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdn_router.cmcd.decode import (
    MAX_RECORD_CHARS,
    decode,
    decode_headers,
    decode_line,
    decode_query,
    lines,
)
from cdn_router.cmcd.directives import DIRECTIVES, Transport, validate
from cdn_router.cmcd.encode import encode, encode_body, encode_headers, encode_query
from cdn_router.cmcd.errors import CmcdError, EncodeError
from cdn_router.cmcd.notes import IGNORED, TOLERATED
from cdn_router.cmcd.record import Data, Record, Valued, upgrade
from cdn_router.cmcd.tables import KEYS, NOTHING, TOKENS, Kind, Mode

EVENT = "e=t,ts=1764000000000,v=2"


def noted(record: Record) -> set[str]:
    return {note.code for note in record.notes}


@pytest.mark.parametrize(
    ("text", "data", "notes"),
    [
        # CM-2: the forms of both versions, chosen by v
        ("br=5000,mtp=25400", {"br": 5000, "mtp": 25400}, set()),
        ("br=(5 3;a),v=2", {"br": [5, Valued(3, {"a": True})], "v": 2}, set()),
        ('nor="..%2F3.m4v",nrr="0-99"', {"nor": "../3.m4v", "nrr": "0-99"}, set()),
        ("pr=1.08", {"pr": 1.08}, set()),
        ("bs=?0", {"bs": False}, set()),
        # CM-3: a later version is ignored whole
        ("br=(1),v=3", {}, {"version"}),
        # CM-30: what is of another type is dropped, the rest stands
        ('br="x",su', {"su": True}, {"wrong_type"}),
        ("su=1,bl=100", {"bl": 100}, {"wrong_type"}),
        ("ot=x,su", {"su": True}, {"wrong_word"}),
        ("sn=-1,v=2", {"v": 2}, {"range"}),
        (f'sid="{"x" * 65}",su', {"su": True}, {"too_long"}),
        ("zz=1,su", {"su": True}, {"unknown_key"}),
        ("e=t,su,v=2", {"su": True, "v": 2}, {"wrong_mode"}),
        ("bl=(100 x 200),v=2", {"bl": [100, 200], "v": 2}, {"wrong_type"}),
        # what players get wrong and mean clearly
        ("br=200,v=2", {"br": [200], "v": 2}, {"scalar"}),
        ("br=(200)", {"br": [200]}, {"list"}),
        ("ltc=5", {"ltc": 5}, {"later_key"}),
        ('nrr="0-",v=2', {"nrr": "0-", "v": 2}, {"earlier_key"}),
        ('ot="v"', {"ot": "v"}, {"quoted_token"}),
        ("sid=abc", {"sid": "abc"}, {"bare_string"}),
        ("d=324.69", {"d": 325}, {"decimal"}),
        ("d=324.5,bl=-0.4", {"d": 325, "bl": 0}, {"decimal"}),
        ("mtp=150", {"mtp": 150}, {"off_grid"}),
        ("sta=w,su,v=2", {"su": True, "v": 2}, {"listed_only"}),
        ("com.x-n=1", {"com.x-n": 1}, {"custom_type"}),
        ('br=67,cid=""-9"",did="js",su', {"br": 67, "su": True}, {"member_skipped", "unknown_key"}),
        ('sid="a,b",br=,su', {"sid": "a,b", "su": True}, {"member_skipped"}),
        ("br%3D67%2Csu", {"br": 67, "su": True}, {"url_encoded"}),
    ],
)  # fmt: skip
def test_decode(text: str, data: Data, notes: set[str]) -> None:
    record = decode(text)
    assert record.data == data and noted(record) == notes
    assert noted(record) <= {*TOLERATED, *IGNORED}


def test_an_event_keeps_the_keys_of_events() -> None:
    record = decode_line(f' url="https://a/1",rc=0,h="a.example",{EVENT} ')
    assert record.data["e"] == "t" and record.data["rc"] == 0 and not record.notes
    assert record.version == 2


def test_the_query() -> None:
    """CM-11: capital letters; CM-12 of the standard 3.2: what follows does not count."""
    for query in (
        "CMCD=br%3D67%2Csu",
        "a=1&CMCD=br%3D67%2Csu&b=2",
        "https://h/x?CMCD=br%3D67,su#z",
    ):
        record = decode_query(query)
        assert record is not None and record.data == {"br": 67, "su": True}
    assert decode_query("cmcd=br%3D67") is None and decode_query("") is None
    record = decode_query("CMCD=br%3D%285000%3Bv+320%3Ba%29%2Cv%3D2")
    assert record is not None and noted(record) == {"plus_space"}
    assert decode_query("CMCD=com.x-y%3D%22a+b%22") == Record({"com.x-y": "a+b"})
    with pytest.raises(CmcdError, match="encoding"):
        decode_query("CMCD=%ff")


def test_headers_of_any_case_and_none() -> None:
    """CM-10, CM-13."""
    found = decode_headers({"cmcd-OBJECT": "br=200", "CMCD-Status": "", "cmcd-session": "v=1"})
    assert found is not None and found.data == {"br": 200, "v": 1}
    assert decode_headers({"cmcd": "br=1", "accept": "*/*"}) is None


def test_lines() -> None:
    """CM-12."""
    assert lines(b"a\n b \n\n") == ["a", " b "]
    with pytest.raises(CmcdError, match="encoding"):
        lines(b"\xff")


@pytest.mark.parametrize("text", ["=", '"', "br=(", "BR=1", "x" * (MAX_RECORD_CHARS + 1)])
def test_refused(text: str) -> None:
    with pytest.raises(CmcdError):
        decode(text)


@given(st.text(st.sampled_from('abvotrl=,;("\\) ?0:@%1.-*'), max_size=80))
def test_no_text_does_more_than_refuse(text: str) -> None:
    for mode in Mode:
        try:
            decode(text, mode)
        except CmcdError:
            continue


def test_v1_becomes_v2() -> None:
    data = upgrade({"br": 200, "nor": "../3.m4v", "nrr": "0-99", "su": True})
    assert data == {"br": [200], "nor": [Valued("../3.m4v", {"r": "0-99"})], "su": True}


# A text that spells "unknown" is never written (CM-26), so it cannot be read back.
TEXT = st.text(
    st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=40
).filter(lambda text: text.lower() not in NOTHING)
NUMBER = st.integers(0, 10**6).map(lambda n: n * 100)


def of_kind(name: str) -> st.SearchStrategy[object]:
    return {
        Kind.INTEGER: NUMBER,
        Kind.DECIMAL: st.sampled_from([0, 0.5, 1.08, 2]),
        Kind.BOOLEAN: st.just(True),
        Kind.STRING: TEXT,
        Kind.TOKEN: st.sampled_from(sorted(TOKENS.get(name, {"x"}))),
        Kind.INTEGERS: st.lists(NUMBER, min_size=1, max_size=3),
        Kind.STRINGS: st.lists(TEXT, min_size=1, max_size=3),
    }[KEYS[name].kind]


LOOSE = st.fixed_dictionaries(
    {}, optional={name: st.one_of(st.none(), of_kind(name)) for name in KEYS.keys() - {"v", "nrr"}}
)


@given(LOOSE)
def test_what_is_written_is_read_back_and_breaks_no_rule(loose: dict[str, object]) -> None:
    """CM-26 on the encoder, for any data; CM-1: keys in order."""
    text = encode(loose)
    record = decode(text)
    assert not record.notes and list(record.data) == sorted(record.data)
    assert all(loose[name] == value for name, value in record.data.items() if name != "v")
    assert validate(text, Mode.REQUEST, Transport.QUERY) == []
    query = decode_query("?a&" + encode_query(loose))
    headers = decode_headers(encode_headers(loose))
    assert query == record and headers is not None and headers.data == record.data
    events = {**loose, "e": "ce", "cen": "x", "ts": 1}
    body = encode_body([events, events]).decode()
    assert validate(body, Mode.EVENT, Transport.BODY) == []
    assert not decode_line(body.split("\n")[1]).notes


BREACHES = {
    "unknown_value": (Transport.BODY, f'{EVENT},cid="undefined"'),
    "trailing_lf": (Transport.BODY, f"{EVENT}\n"),
    "url_encoded": (Transport.HEADER, "br%3D67%2Csu"),
    "ab_beside_br": (Transport.BODY, f"{EVENT},ab=(1),br=(1)"),
    "lab_beside_lb": (Transport.BODY, f"{EVENT},lab=(1),lb=(1)"),
    "tab_beside_tb": (Transport.BODY, f"{EVENT},tab=(1),tb=(1)"),
    "cen_outside_ce": (Transport.BODY, f'{EVENT},cen="x"'),
    "d_object_type": (Transport.BODY, f"{EVENT},d=1,ot=m"),
    "tpb_object_type": (Transport.BODY, f"{EVENT},tpb=(1),ot=tt"),
    "ot_unknown": (Transport.BODY, f"{EVENT},ot=unknown"),
}


@pytest.mark.parametrize("rule", [each.rule for each in DIRECTIVES])
def test_each_must_not_is_found(rule: str) -> None:
    """CM-26 on the validator, ten of ten."""
    transport, text = BREACHES[rule]
    assert len(DIRECTIVES) == len(BREACHES) == 10
    mode = Mode.EVENT if transport is Transport.BODY else Mode.REQUEST
    assert rule in {finding.rule for finding in validate(text, mode, transport)}


@pytest.mark.parametrize(
    ("data", "absent"),
    [
        ({"br": None, "mtp": [None], "su": True, "bl": [float("nan")]}, "null"),
        ({"ab": [1], "br": [1]}, "ab="),
        ({"lab": [1], "lb": [1]}, "lab="),
        ({"tab": [1], "tb": [1]}, "tab="),
        ({"cen": "x"}, "cen"),
        ({"d": 4000, "ot": "m"}, ",d="),
        ({"d": 4000}, "d="),
        ({"tpb": [100], "ot": "tt"}, "tpb"),
        ({"ot": "unknown"}, "ot"),
    ],
)
def test_each_must_not_is_not_written(data: dict[str, object], absent: str) -> None:
    text = encode({**data, "e": "t"}, mode=Mode.EVENT, now_ms=1)
    assert absent not in text.replace(",br=(1)", "").replace(",lb=(1)", "").replace(",tb=(1)", "")
    assert validate(text, Mode.EVENT, Transport.BODY) == []


def test_a_single_event_ends_without_a_line_feed() -> None:
    assert encode_body([{"e": "t"}], now_ms=1) == b"e=t,ts=1,v=2"
    assert encode_body([{"e": "t"}] * 2, now_ms=1) == b"e=t,ts=1,v=2\ne=t,ts=1,v=2"


@pytest.mark.parametrize(
    "data", [{}, {"e": "zz"}, {"e": "ps"}, {"e": "e"}, {"e": "ce"}, {"e": "rr"}]
)
def test_an_event_without_its_subject_is_not_written(data: dict[str, object]) -> None:
    """CM-20."""
    with pytest.raises(EncodeError, match="event_key"):
        encode(data, mode=Mode.EVENT, now_ms=1)
    text = ",".join([*(f"{k}={v}" for k, v in data.items()), "ts=1,v=2"])
    assert "event_key" in {f.rule for f in validate(text, Mode.EVENT, Transport.BODY)}


def test_an_event_has_a_time_and_a_version() -> None:
    with pytest.raises(EncodeError, match="event_key"):
        encode({"e": "t"}, mode=Mode.EVENT)
    with pytest.raises(EncodeError, match="event_version"):
        encode({"e": "t", "ts": 1}, mode=Mode.EVENT, version=1)
    rules = validate("e=t,rc=200", Mode.EVENT, Transport.BODY)
    assert {finding.key for finding in rules} == {"ts", "v", "rc"}
    assert [f.key for f in validate("e=t", Mode.REQUEST, Transport.QUERY)] == ["e"]
