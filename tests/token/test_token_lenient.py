"""Longer CBOR forms (CAT-5), alg by the key (CAT-23), names for carriers (CAT-90): by option."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

import cat
from cat.algorithms import BY_NAME
from cat.cbor import DECODERS, CborError, encode
from cat.cose import sealed_structure
from cat.text import to_text
from cat.transport import Names

NOW = 1_000_000
KEYS = cat.KeySet.from_json([cat.generate("HS256", "k"), cat.generate("ES256", "e")])
SECRET = KEYS.signer("k").secret
CONTEXT = cat.Context("https://h/live/a", NOW)
LENIENT = cat.Options(cbor="lenient")
lenient, strict = DECODERS["lenient"].decode, DECODERS["strict"].decode

scalars = st.one_of(
    st.integers(-(2**64), 2**64 - 1),
    st.text(max_size=6),
    st.binary(max_size=6),
    st.booleans(),
    st.none(),
    st.floats(allow_nan=False, allow_infinity=False).map(lambda x: x + 0.0),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4).map(tuple),
        st.dictionaries(st.one_of(st.integers(-9, 99), st.text(max_size=3)), inner, max_size=4),
    ),
    max_leaves=12,
)


def loosely(value, draw):
    """The same value with heads of any width, and strings, lists and maps that end by a break."""
    if isinstance(value, bool | float) or value is None:
        return encode(value)
    if isinstance(value, int):
        major, argument = (0, value) if value >= 0 else (1, -1 - value)
        return head(major, argument, draw)
    if isinstance(value, str | bytes):
        major, data = (3, value.encode()) if isinstance(value, str) else (2, value)
        if not draw(st.booleans()):
            return head(major, len(data), draw) + data
        pieces = [c.encode() for c in value] if isinstance(value, str) else [data[:2], data[2:]]
        chunks = b"".join(head(major, len(piece), draw) + piece for piece in pieces)
        return bytes([major << 5 | 31]) + chunks + b"\xff"
    if isinstance(value, dict):
        major, items = 5, [loosely(x, draw) for pair in value.items() for x in pair]
    else:
        major, items = 4, [loosely(x, draw) for x in value]
    body = b"".join(items)
    if draw(st.booleans()):
        return bytes([major << 5 | 31]) + body + b"\xff"
    return head(major, len(value), draw) + body


def head(major, argument, draw):
    fits = [size for size in (0, 1, 2, 4, 8) if argument < (24 if size == 0 else 256**size)]
    size = draw(st.sampled_from(fits))
    if size == 0:
        return bytes([major << 5 | argument])
    return bytes([major << 5 | 23 + size.bit_length()]) + argument.to_bytes(size, "big")


@given(st.data())
def test_every_form_of_a_value_is_read(data):
    value = data.draw(values)
    text = loosely(value, data.draw)
    assert lenient(text) == value
    assert lenient(encode(value)) == strict(encode(value)) == value


@given(st.binary(max_size=60))
def test_what_strict_reads_lenient_reads_alike(data):
    try:
        found = strict(data)
    except CborError:
        return
    assert lenient(data) == found


@pytest.mark.parametrize(
    "wrong",
    [
        "ff", "9f", "9f01", "bf01ff", "bf", "5f", "5f6161ff", "5f5f4100ffff", "7f4161ff", "7f61",
        "bf01020102ff", "a20102180102", "1f", "3f", "df00", "f97e00", "fb7ff8000000000000",
        "f98000", "f97c00", "fb8000000000000000", "f818", "5b7fffffffffffffff",
        "9bffffffffffffffff",
        "5bffffffffffffffff", "bbffffffffffffffff", "01ff", "9f01ff00", "7f61ffff", "7f61c361a9ff",
        "9f" + "01" * 257 + "ff", "9f" * 20 + "ff" * 20, "5f" + "40" * 2100 + "ff",
    ],
)  # fmt: skip
def test_lenient_has_bounds(wrong):
    with pytest.raises(CborError):
        lenient(bytes.fromhex(wrong))


def sealed(protected, payload, kid=b"k", array=b"\x84", end=b"", unprotected=None):
    """A token of chosen bytes whose seal holds."""
    seal = BY_NAME["HS256"].seal(SECRET, sealed_structure(17, protected, payload))
    headers = encode({4: kid} if unprotected is None else unprotected)
    parts = encode(protected) + headers + encode(payload) + encode(seal)
    return to_text(b"\xd8\x3d\xd1" + array + parts + end)


LONG = {
    "a protected header of rust-cat": sealed(bytes.fromhex("a1011805"), encode({4: NOW + 9})),
    "an indefinite payload": sealed(encode({1: 5}), bytes.fromhex("bf041a000f4249ff")),
    "an indefinite array": sealed(encode({1: 5}), encode({4: NOW + 9}), array=b"\x9f", end=b"\xff"),
}


@pytest.mark.parametrize("name", LONG)
def test_longer_forms_are_an_option(name):
    """CAT-5: refused by default, the same claims by option, again from memory."""
    assert cat.verify(LONG[name], CONTEXT, KEYS).reason == "malformed"
    standing = cat.Verifier(KEYS, LENIENT)
    for _ in range(2):
        verdict = standing.verify(LONG[name], CONTEXT)
        assert verdict.accept and verdict.claims == {4: NOW + 9}
    assert cat.Verifier(KEYS).verify(LONG[name], CONTEXT).reason == "malformed"


def test_an_array_without_end_is_refused():
    for end in (b"", b"\x00\xff", b"\xff\xff"):
        token = sealed(encode({1: 5}), encode({4: NOW + 9}), array=b"\x9f", end=end)
        assert cat.verify(token, CONTEXT, KEYS, LENIENT).reason == "malformed"


def test_renewal_writes_the_shortest_forms():
    rules = bytes.fromhex("bf 1800 02 01 1864 ff")  # a header, for 100 s more
    payload = b"\xbf" + encode(4) + encode(NOW + 9) + encode(323) + rules + b"\xff"
    token = sealed(encode({1: 5}), payload)
    verdict = cat.verify(token, CONTEXT, KEYS, LENIENT, mint=cat.Mint(KEYS))
    assert verdict.renew is not None
    again = cat.verify(verdict.renew.token, CONTEXT, KEYS)
    assert again.accept and again.claims == {4: NOW + 100, 6: NOW, 323: {0: 2, 1: 100}}


def test_alg_from_the_key():
    """CAT-23: only by option, only with a kid of one key of the tag's algorithm."""
    own, by_key = cat.Options(), cat.Options(alg_from_key=True)
    for protected in (b"", encode({})):
        token = sealed(protected, encode({4: NOW + 9}))
        assert cat.verify(token, CONTEXT, KEYS, own).reason == "alg"
        standing = cat.Verifier(KEYS, by_key)
        for _ in range(2):
            assert standing.verify(token, CONTEXT).accept
    payload = encode({4: NOW + 9})
    for token in (
        sealed(b"", payload, unprotected={}),
        sealed(b"", payload, kid=b"e"),
        sealed(b"", payload, kid=b"other"),
        sealed(b"", payload, unprotected={1: 5, 4: b"k"}),
        sealed(encode({1: None}), payload),
        sealed(encode({1: 4}), payload),
    ):
        assert cat.verify(token, CONTEXT, KEYS, by_key).reason == "alg"
    forged = sealed(b"", payload)[:-4] + "AAAA"
    assert cat.verify(forged, CONTEXT, KEYS, by_key).reason == "signature"


NAMES = Names(headers=("common-access-token",), queries=("token",), cookies=("cat",))


def test_configured_names_carry_tokens():
    """CAT-90: behind the standard names, and taken out like those."""
    fields = {
        "cta-common-access-token": "a",
        "common-access-token": "b; x=y, c",
        "cookie": "q=1; CAT=f; cta-common-access-token=e",
    }
    found = cat.candidates("/x", "TOKEN=d&r=2&cat=g", fields, NAMES)
    assert found.tokens == ("a", "b", "c", "g", "d", "e")  # at most six, CAT-91
    assert (found.path, found.query, dict(found.headers)) == ("/x", "r=2", {"cookie": "q=1"})
    assert cat.candidates("/x", "token=d", {"common-access-token": "b"}).tokens == ()
    for wrong in ("Upper", "a&b", "a=b", "a;b", "", "a b"):
        with pytest.raises(ValueError, match="lower-case"):
            Names(queries=(wrong,))


def test_a_configured_parameter_is_no_part_of_the_query():
    """CAT-42: what is judged is the URI without the token, quick way or long."""
    options = cat.Options(names=NAMES)
    token = cat.issue({"exp": NOW + 9, "catu": {"query": {"exact": "r=2"}}}, KEYS.signer())
    context = cat.Context(f"https://h/x?token={token}&r=2", NOW)
    for judge in (cat.Verifier(KEYS, options).verify, cat.Verifier(KEYS, options).verify):
        assert judge(token, context).accept
    assert cat.verify(token, context, KEYS, options).accept
    assert cat.Verifier(KEYS).verify(token, context).reason == "uri"


def test_renewal_of_a_configured_carrier_goes_back_the_same_way():
    """CAT-54: automatic renewal of a token from a configured cookie is a cookie."""
    token = cat.issue({"exp": NOW + 9, "catr": {0: 0, 1: 100}}, KEYS.signer())
    context = cat.Context("https://h/x", NOW, headers={"cookie": f"cat={token}"})
    options, mint = cat.Options(names=NAMES), cat.Mint(KEYS)
    verdict = cat.verify(token, context, KEYS, options, mint=mint)
    assert verdict.renew is not None and verdict.renew.cookie is not None
    plain = cat.verify(token, context, KEYS, mint=mint)
    assert plain.renew is not None and plain.renew.cookie is None
