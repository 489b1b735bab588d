"""The kernel against the plain-Python reader: the same record, or none at all (CM-1, CM-2)."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cdn_router.cmcd.decode import MAX_RECORD_CHARS, ORDERLY, decode, decode_slowly
from cdn_router.cmcd.encode import encode
from cdn_router.cmcd.errors import CmcdError
from cdn_router.cmcd.record import Record, Valued
from cdn_router.cmcd.tables import KEYS, MAX_LIST, Kind, Mode
from native.cmcd import Orderly

# Pieces of sets, so that random text is often nearly right.
VALUE_PIECES = r"""v=2 v=2 v=3 ( ) ;v ;a ;a=1 , , , " \ x "x"
100 000100 150 -100 1.5 1. ?1 ?0 = ? p av"""
ODD_PIECES = [" ", "\t", "\x00", "\u00e9", "com.x-y", '"%2F"', "9" * 15, "9" * 16, "z" * 70]
PIECES = st.sampled_from(
    [*(f"{name}=" for name in KEYS), *KEYS, *VALUE_PIECES.split(), *ODD_PIECES]
)


def same(text: str, mode: Mode) -> bool:
    """Whether the kernel read it; it must then agree with the reader that notes oddities."""
    found = ORDERLY.read(text, mode is Mode.EVENT)
    if found is not None:
        record = decode_slowly(text, mode)
        assert (found, list(found)) == (record.data, list(record.data)) and not record.notes
        assert [type(value) for value in found.values()] == [type(v) for v in record.data.values()]
    return found is not None


@settings(max_examples=1500)
@given(st.lists(PIECES, max_size=14).map("".join), st.sampled_from(Mode))
@example("v=2,", Mode.EVENT)
@example("v=2,v=1", Mode.EVENT)
@example("bs-x,v=2", Mode.EVENT)
@example("br=(1;v;v),v=2", Mode.EVENT)
def test_never_another_record(text: str, mode: Mode) -> None:
    try:
        same(text, mode)
    except CmcdError:
        pytest.fail(f"the kernel reads what cannot be read: {text!r}")


VALUES: dict[Kind, st.SearchStrategy[object]] = {
    Kind.INTEGER: st.integers(0, 10**9).map(lambda n: n * 100),
    Kind.BOOLEAN: st.just(True),
    Kind.STRING: st.from_regex(r"\A[ !#-\[\]-~]{1,60}\Z"),
    Kind.INTEGERS: st.lists(
        st.one_of(st.just(100), st.builds(Valued, st.just(200), st.just({"v": True}))), min_size=1
    ),
    Kind.STRINGS: st.lists(st.from_regex(r"\A[a-z./]{1,9}\Z"), min_size=1, max_size=9),
}
ORDERLY_SETS = st.fixed_dictionaries(
    {},
    optional={
        name: VALUES[key.kind]
        for name, key in KEYS.items()
        if key.kind in VALUES and name not in ("v", "nrr")
    },
)


@given(ORDERLY_SETS)
def test_every_orderly_set_is_read(data: dict[str, object]) -> None:
    text = encode({**data, "e": "t", "ts": 1}, mode=Mode.EVENT)
    lists = [value for value in data.values() if isinstance(value, list)]
    assert same(text, Mode.EVENT) or any(len(value) > MAX_LIST for value in lists)
    if data:
        assert same(encode(data), Mode.REQUEST)


@pytest.mark.parametrize(
    "text",
    ["", "br=(1)", "br=(1),v=1", "br=(1),v=3", "br=1,v=2", "pr=1.1,v=2", "bl=(150),v=2", "e=t,v=2",
     "br=(),v=2", "br=(1 ),v=2", "br=(1  2),v=2", "br=(1;v=1),v=2", "br=(1,v=2", " v=2", "v=2 ",
     'cid="a\\"b",v=2', 'cid="\u00e9",v=2', 'cid="a,v=2', "sid=abc,v=2", "ot=x,v=2", "v=2, su",
     f'sid="{"x" * 65}",v=2', f"br=({' '.join(['1'] * (MAX_LIST + 1))}),v=2", "x-y=1,v=2",
     "ot=v1,v=2", "bs=1,v=2", "bs=?2,v=2", "su=?0x,v=2", "aaaaaaaaaaaaaaab=1,v=2", "v=2\x00",
     "v=2," + "su," * MAX_RECORD_CHARS + "su"],
)  # fmt: skip
def test_the_odd_is_not_the_kernels(text: str) -> None:
    assert ORDERLY.read(text, False) is None


def test_the_reader_asks_the_kernel_first() -> None:
    text = "br=(5000;v 128;a),bs=?0,su,v=2"
    assert ORDERLY.read(text, False) is not None
    assert decode(text) == Record(
        {
            "br": [Valued(5000, {"v": True}), Valued(128, {"a": True})],
            "bs": False,
            "su": True,
            "v": 2,
        }
    )


def test_tables_that_do_not_fit_are_refused() -> None:
    for rows in (
        [("toolongname", "integer", False, 1, 1, ())],
        [("a", "integer", False, 1, 1, ())] * 65,
        [("", "integer", False, 1, 1, ())],
    ):
        with pytest.raises(ValueError, match="room"):
            Orderly(rows, Valued, max_chars=9, max_list=9, version=2)
