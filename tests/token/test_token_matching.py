"""URIs, matches, regular expressions, networks and places against known answers and oracles."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from native_cat import ere_oracle

from cat import ere, geo, network, uri
from cat.cbor import Tag
from cat.tables import COMPONENTS, PROFILES

CTA, QUICR = PROFILES["cta"], PROFILES["quicr"]

PATHS = [  # CAT-42: as sent, as judged and asked of the origin
    ("", "/"),
    ("/", "/"),
    ("/a/./b/../c", "/a/c"),
    ("/a/%2e%2e/b", "/b"),
    ("/a/%2E/b", "/a/b"),
    ("/../../a", "/a"),
    ("/a/..", "/"),
    ("/a/b/.", "/a/b/"),
    ("/a//b", "/a//b"),
    ("//a", "//a"),
    ("/a;v=1/b", "/a;v=1/b"),
    ("/%61%2db", "/a-b"),
    ("/%c3%a9", "/%C3%A9"),
    ("/%252e%252e/a", "/%252e%252e/a"),
]


@pytest.mark.parametrize(("sent", "judged"), PATHS)
def test_paths(sent, judged):
    assert uri.normal_path(sent) == judged


BAD = [
    "https://u@h/a",
    "https://u:p@h/a",
    "https://h/a#f",
    "https://h/a?q#f",
    "https://h/\u00e9",
    "https://h\u00e9/a",
    "https://h/%",
    "https://h/%g1",
    "https://h/%00",
    "https://h/a\\b",
    "https://h/a%2fb",
    "https://h/a%5Cb",
    "https://h/a b",
    "https://h:123456/a",
    "https:///a",
    "/a",
    "",
]


@pytest.mark.parametrize("text", BAD)
def test_uris_without_a_safe_form(text):
    with pytest.raises(uri.UriError):
        uri.parse(text)


@given(st.text(st.sampled_from("/.%2eEa;"), max_size=20))
def test_normal_paths_are_stable(path):
    try:
        once = uri.normal_path("/" + path)
    except uri.UriError:
        return
    assert uri.normal_path(once) == once
    assert not {".", ".."} & set(once.split("/"))


PARTS = {  # CAT-43
    "https://H.Example./a/b/f.tar.gz?q=1": {
        "scheme": ("https",),
        "host": ("h.example",),
        "port": ("443", ""),
        "path": ("/a/b/f.tar.gz",),
        "query": ("q=1",),
        "parent_path": ("/a/b",),
        "filename": ("f.tar.gz",),
        "stem": ("f.tar",),
        "extension": (".gz",),
    },
    "http://h:8080/f.ts": {"port": ("8080",), "parent_path": ("", "/"), "extension": (".ts",)},
    "http://h:080/": {"port": ("80", ""), "filename": ("",), "stem": ("",), "extension": ("",)},
    "https://[2001:DB8::1]/dir/name": {
        "host": ("[2001:db8::1]",),
        "filename": ("name",),
        "stem": ("name",),
        "extension": ("",),
        "parent_path": ("/dir",),
    },
}


@pytest.mark.parametrize("text", PARTS)
def test_components(text):
    parts = uri.parse(text)
    for name, value in PARTS[text].items():
        assert parts.component(COMPONENTS[name], CTA) == value, name


def test_components_of_quicr():
    parts = uri.parse("https://h/a/b/f.m3u8")
    assert parts.component(COMPONENTS["extension"], QUICR) == ("m3u8",)
    assert parts.component(COMPONENTS["parent_path"], QUICR) == ("/a/b/",)


ILL_FORMED = [
    "", "a||b", "|a", "a|", "()", "(a", "a)", "*a", "a**", "a+?", "a??", "a*?", r"\d", r"\w+",
    r"(a)\1", "(?:a)", "(?=a)", "(?P<n>a)", "a{", "a{2", "a{x}", "a{3,2}", "a{256}", "[", "[]",
    "[b-a]",
    "[[:nope:]]", "[[.a.]]", "a\\", "^*", "{2}",
]  # fmt: skip


@pytest.mark.parametrize("pattern", ILL_FORMED)
def test_patterns_posix_does_not_define(pattern):
    """CAT-44: Perl syntax included."""
    assert not ere.well_formed(pattern)


FOUND = [
    ("^/(live|vod)/.*$", "/live/a.m3u8", True),
    ("^/(live|vod)/.*$", "/x/live/a", False),
    ("a{2,3}b", "xaab", True),
    ("^a{2,3}b", "aaaab", False),
    ("^a{0}b$", "b", True),
    ("^(ab){2,}$", "abababab", True),
    ("^(ab){2,}$", "ab", False),
    ("[^/]+\\.ts$", "/a/b.ts", True),
    ("^[]a]+$", "]a]", True),
    ("^[a-c[:digit:]-]+$", "b-7", True),
    ("^[a-c[:digit:]-]+$", "d", False),
    ("^$", "", True),
    ("^$", "a", False),
    ("a$b", "ab", False),
    ("\\.", "a", False),
    ("(a|ab)(c|bcd)", "abcd", True),
]


@pytest.mark.parametrize(("pattern", "subject", "found"), FOUND)
def test_patterns(pattern, subject, found):
    assert ere.search(pattern, subject) is found


atoms = st.sampled_from(["a", "b", "ab", "[ab]", "[^a]", ".", "(a)", "(a|b)", "(ab|b)"])
pieces = st.builds(str.__add__, atoms, st.sampled_from(["", "", "*", "+", "?", "{2}", "{1,3}"]))
branches = st.lists(pieces, min_size=1, max_size=4).map("".join)
patterns = st.builds(
    lambda start, middle, end: start + "|".join(middle) + end,
    st.sampled_from(["", "^"]),
    st.lists(branches, min_size=1, max_size=3),
    st.sampled_from(["", "$"]),
)


@given(patterns, st.text(st.sampled_from("abc"), max_size=12))
def test_patterns_like_python(pattern, subject):
    """The portable part of ERE finds where Python's own engine finds."""
    assert ere.search(pattern, subject) == (re.search(pattern, subject) is not None)
    assert ere.search(pattern, subject) == (ere_oracle.groups(pattern, subject) is not None)


@pytest.mark.parametrize(
    "pattern", ["(a+)+$", "(a|aa)*b", "(.*)*x", "(a*)*(a*)*(a*)*y", ".*.*.*.*=z"]
)
def test_hostile_patterns_do_not_explode(pattern):
    """CAT-44: 8 KB subjects; a backtracking engine would never end."""
    assert ere.search(pattern, "a" * 8191 + "!") in (False, None)


GROUPS = [
    ("^/live/([^/]+)/(v[0-9])/", "/live/one/v1/7.m4s", ("one", "v1"), True),
    ("^/live/([^/]+)/(v[0-9])/", "/live/one/v1/7.m4s", (None, "v2"), False),
    ("^(a)?b", "b", ("",), False),  # a group that took no part equals nothing
    ("^(a)?b", "b", (None,), True),
    ("a", "a", ("a",), False),  # no such group
    ("(a*)(ab)*(b*)", "abb", ("", "ab", "b"), False),  # the leftmost group is the longest
    ("(a*)(ab)*(b*)", "abb", ("a", None, "bb"), True),
    ("(a*)(ab)*", "aab", ("a", "ab"), True),  # Perl would stop behind aa
    ("x*", "aaxx", (), True),
    ("(a|ab)(c|bcd)(d*)", "abcd", ("ab",), None),  # which branch is a matter of rules
    ("(a|ab)(c|bcd)(d*)", "abcd", (None, None, None), True),
    ("((a*)b)*", "ab", ("ab",), None),
    ("(a*|b)", "b", ("b",), None),
    ("(ab|cd)+", "abcd", ("cd",), True),
    ("(\u00e9)(.)", "x\u00e9\u00fc", ("\u00e9", "\u00fc"), True),
]


@pytest.mark.parametrize(("pattern", "subject", "groups", "answer"), GROUPS)
def test_groups(pattern, subject, groups, answer):
    """CAT-44"""
    assert ere.search(pattern, subject, groups) is answer


@given(patterns, st.text(st.sampled_from("abc"), max_size=10))
def test_groups_by_trying_every_way(pattern, subject):
    """Where groups are answered for at all, they are those of the POSIX rule."""
    answer = ere_oracle.groups(pattern, subject)
    if answer is None:
        assert ere.search(pattern, subject) is False
        return
    for number, text in enumerate(answer):
        wanted = (None,) * number + ("\0" if text is None else text,)
        assert ere.search(pattern, subject, wanted) in (None, text is not None)


def test_work_has_a_limit():
    assert ere.well_formed("(((a{99}){99}){99})")
    assert ere.search("(((a{99}){99}){99})", "a") is None


NETWORKS = [  # entry, client, ASN, answer
    (Tag(52, bytes([192, 0, 2, 1])), "192.0.2.1", None, True),
    (Tag(52, bytes([192, 0, 2, 1])), "::ffff:192.0.2.1", None, True),
    (Tag(52, bytes([192, 0, 2, 1])), "192.0.2.2", None, False),
    (Tag(52, (24, bytes([192, 0, 2]))), "192.0.2.77", None, True),
    (Tag(52, (24, bytes([192, 0, 2, 0]))), "192.0.3.0", None, False),
    (Tag(52, (0, b"")), "8.8.8.8", None, True),
    (Tag(52, (0, b"")), "::1", None, False),
    (Tag(52, {20: bytes([10, 0, 16])}), "10.0.31.255", None, True),
    (Tag(54, (32, bytes.fromhex("20010db8"))), "2001:db8::1", None, True),
    (Tag(54, (33, bytes.fromhex("20010db880"))), "2001:db8::1", None, False),
    (Tag(52, bytes(4)), None, 7, None),
    (64512, "10.0.0.1", 64512, True),
    (64512, "10.0.0.1", None, False),
    ((64496, 64511), None, 64500, True),
    ((64496, 64511), None, 64512, False),
]


@pytest.mark.parametrize(("entry", "client", "asn", "answer"), NETWORKS)
def test_networks(entry, client, asn, answer):
    address = None if client is None else network.client_address(client)
    test = network.entry(entry)
    assert test is not None and test(address, asn) is answer


@pytest.mark.parametrize(
    "entry",
    [
        Tag(52, bytes(3)),
        Tag(52, bytes(16)),
        Tag(54, bytes(4)),
        Tag(52, (33, bytes(4))),
        Tag(52, (-1, bytes(4))),
        Tag(52, (20, bytes([10, 0, 8]))),
        Tag(52, (bytes(4), 24)),
        Tag(52, (24, bytes(3), 1)),
        Tag(52, {24: bytes(3), 16: bytes(2)}),
        Tag(52, (True, b"")),
        Tag(53, bytes(4)),
        -1,
        2**32,
        True,
        (2, 1),
        (1, 2, 3),
        "10.0.0.1",
        None,
    ],
)
def test_malformed_network_entries(entry):
    """CAT-45."""
    assert network.entry(entry) is None


def test_places():
    assert geo.geohash(57.64911, 10.40744, 11) == "u4pruydqqvj"
    assert geo.geohash(37.8324, 112.5584, 9) == "ww8p1r4t8"
    assert geo.distance_m(48.8566, 2.3522, 52.52, 13.405) == pytest.approx(877_464, rel=1e-3)
    assert geo.distance_m(0, 179.9, 0, -179.9) == pytest.approx(22_239, rel=1e-3)
    assert geo.in_region("SE-AB", "se") and geo.in_region("us-ca", "US-CA")
    assert not geo.in_region("US", "US-CA") and not geo.in_region("SE", "SWE")
