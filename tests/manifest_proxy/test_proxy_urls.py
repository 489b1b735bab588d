"""References resolved and made relative, by the examples of RFC 3986 and the standard library."""

from urllib.parse import urljoin

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manifest_proxy.urls import Origin, Url, relative, without_dots

BASE = Url.parse("http://a/b/c/d;p?q")

# RFC 3986 section 5.4.1 and 5.4.2, without the cases that need another scheme or a lone fragment.
RFC_EXAMPLES = {
    "g": "http://a/b/c/g",
    "./g": "http://a/b/c/g",
    "g/": "http://a/b/c/g/",
    "/g": "http://a/g",
    "//g": "http://g/",
    "?y": "http://a/b/c/d;p?y",
    "g?y": "http://a/b/c/g?y",
    "g#s": "http://a/b/c/g#s",
    "#s": "http://a/b/c/d;p?q#s",
    "g?y#s": "http://a/b/c/g?y#s",
    ";x": "http://a/b/c/;x",
    "g;x?y#s": "http://a/b/c/g;x?y#s",
    "": "http://a/b/c/d;p?q",
    ".": "http://a/b/c/",
    "./": "http://a/b/c/",
    "..": "http://a/b/",
    "../g": "http://a/b/g",
    "../..": "http://a/",
    "../../g": "http://a/g",
    "../../../g": "http://a/g",
    "/./g": "http://a/g",
    "/../g": "http://a/g",
    "g.": "http://a/b/c/g.",
    "..g": "http://a/b/c/..g",
    "./../g": "http://a/b/g",
    "g/./h": "http://a/b/c/g/h",
    "g/../h": "http://a/b/c/h",
    "g;x=1/../y": "http://a/b/c/y",
    "g?y/./x": "http://a/b/c/g?y/./x",
    "g#s/../x": "http://a/b/c/g#s/../x",
}


@pytest.mark.parametrize("reference", RFC_EXAMPLES)
def test_rfc_3986_examples(reference: str) -> None:
    joined = BASE.join(reference.encode())
    assert joined is not None
    assert b"".join(joined).decode() == RFC_EXAMPLES[reference]


@pytest.mark.parametrize("reference", [b"skd://key", b"data:,x", b"urn:uuid:1", b"http:g"])
def test_other_schemes_are_left_alone(reference: bytes) -> None:
    assert BASE.join(reference) is None


def test_an_origin_query_is_opaque() -> None:
    joined = BASE.join(b"v.m3u8?hdnts=exp=1~acl=/*~hmac=%2F")
    assert joined is not None and joined.rest == b"?hdnts=exp=1~acl=/*~hmac=%2F"


@pytest.mark.parametrize(
    "url, inside",
    [
        (b"http://o:1/base/x/y.mpd?a", b"/x/y.mpd?a"),
        (b"HTTP://O:1/base/x", b"/x"),
        (b"http://o:1/based/x", None),
        (b"http://o:1/base/../x", None),
        (b"http://o:2/base/x", None),
        (b"https://o:1/base/x", None),
        (b"http://o:1@evil/base/x", None),
    ],
)
def test_what_counts_as_the_origin(url: bytes, inside: bytes | None) -> None:
    assert Origin("http://o:1/base/").public_path(BASE.join(url)) == inside


def test_default_ports_are_the_same_place() -> None:
    assert Url.parse("http://o:80/x").root == Url.parse("http://o/x").root
    assert Url.parse("https://o:80/x").root != Url.parse("https://o/x").root


SEGMENT = st.text("ab.:", min_size=1, max_size=3)
PATHS = st.lists(SEGMENT, max_size=5).map(lambda parts: "/" + "/".join(parts))


@given(PATHS, PATHS)
def test_relative_leads_back(target: str, base: str) -> None:
    target, base = without_dots(target.encode()).decode(), without_dots(base.encode()).decode()
    reference = relative(target.encode(), base.encode())
    joined = Url(b"http://h", base.encode()).join(reference)
    assert joined is not None and joined.path == target.encode()
    assert urljoin(f"http://h{base}", reference.decode()) == f"http://h{target}"


@given(st.lists(st.sampled_from(["", ".", "..", "a", "..."]), max_size=8))
def test_nothing_climbs_above_the_root(parts: list[str]) -> None:
    path = without_dots(("/" + "/".join(parts)).encode())
    assert path.startswith(b"/")
    assert not {b".", b".."} & set(path.split(b"/"))
