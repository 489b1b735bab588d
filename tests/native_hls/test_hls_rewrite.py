"""The one-pass rewrite against a plain-Python one, on the corpus and on random lines (HLS-M2)."""

import random
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from manifest_proxy.urls import Origin, Url, relative
from native.hls import Kind, Line, Playlist, PlaylistError, attributes, rewrite
from native.hls.rewrite import MAX_URIS
from native.hls.tables import RELATIVE_ATTRIBUTES, URI_ATTRIBUTES
from native.holes import Template

CORPUS = Path(__file__).resolve().parents[3] / "shared/corpus/hls"
LEAD = Template([b"http://a/cat:", 0])
PLACES = {
    ("http://o:1", "http://o:1/live/x/media.m3u8?q=1"),
    ("http://o:1/base", "http://o:1/base/v/m.m3u8"),
    ("http://o:1/base", "http://o:1/m.m3u8"),  # above the base: nothing plain is ours
    ("http://o:1", "http://other/x/m.m3u8"),
}


class Slow:
    """What rewrite() does, said slowly: every reference is resolved by its RFC's rules."""

    def __init__(self, base: str, url: str) -> None:
        self.origin, self.url = Origin(base), Url.parse(url)
        self.folder = self.public_path(b".")

    def public_path(self, reference: bytes) -> bytes | None:
        if b"{$" in reference:
            return None
        return self.origin.public_path(self.url.join(reference))

    def relate(self, reference: bytes) -> bytes | None:
        path = self.public_path(reference)
        return None if path is None or self.folder is None else relative(path, self.folder)

    def rewritten(self, data: bytes) -> bytes:
        lines = Playlist(data, whole=False).lines()
        return b"".join(self.line(line) for line in lines)

    def child(self, reference: bytes) -> bytes | None:
        path = self.public_path(reference)
        return None if path is None else b"http://a/cat:TOK" + path

    def line(self, line: Line) -> bytes:
        if line.kind is Kind.URI:
            before, uri, after = line.raw.partition(line.value)
            return before + (self.child(uri) or uri) + after
        if line.kind is not Kind.TAG:
            return line.raw
        head = line.raw.find(b":") + 1
        out = line.raw
        for name, start, end in reversed(attributes(line.value)):
            raw = line.value[start:end]
            uri = raw[1:-1] if raw.startswith(b'"') else raw
            new = None
            if name in URI_ATTRIBUTES.get(line.name, ()):
                new = self.child(uri)
            elif name in RELATIVE_ATTRIBUTES.get(line.name, ()) and b"/" in uri:
                new = self.relate(uri)
            if new is not None:
                out = out[: head + start] + b'"' + new + b'"' + out[head + end :]
        return out

    def fast(self, data: bytes) -> bytes:
        return rewrite(
            Playlist(data, whole=False),
            LEAD,
            home=self.folder,
            prefix=self.origin.prefix,
            root=self.origin.root,
            resolve=self.public_path,
            relate=self.relate,
        ).render(b"TOK")


SLOW = [Slow(*place) for place in sorted(PLACES)]

SCRAPS = (
    rb"a 1.m4s . .. / // ? # & : {$v} { ~ %20 http://o:1 http://o:1/base HTTP://O:1/ http://o:12/ "
    rb"http://other/x /base /basement/ data:, skd:// o:1"
).split()
REFERENCE = st.lists(st.sampled_from([*SCRAPS, b"\xc3\xa9"]), max_size=6).map(b"".join)
TAG = st.builds(
    lambda tag, first, name, quote, uri, last: (
        b"#%b:%b%b=%b%b%b%b" % (tag, first, name, quote, uri, quote, last)
    ),
    st.sampled_from([*URI_ATTRIBUTES, *RELATIVE_ATTRIBUTES, b"EXTINF", b"EXT-X-NEW"]),
    st.sampled_from([b"", b"A=1,", b' A="x,URI=y" , ', b'URI="z",']),
    st.sampled_from([b"URI", b"URI ", b"X-ASSET-URI", b"X-ASSET-LIST", b"SERVER-URI", b"uri"]),
    st.sampled_from([b'"', b""]),
    REFERENCE,
    st.sampled_from([b"", b" ", b",B=2", b' , URI="w"', b',"']),
)
ENDING = st.sampled_from([b"\n", b"\r\n", b"\r", b" \n", b"\n\t"])
PLAYLIST = st.lists(st.tuples(st.one_of(REFERENCE, TAG), ENDING).map(b"".join), max_size=8).map(
    b"".join
)


@pytest.mark.parametrize("slow", SLOW, ids=lambda slow: slow.url.path.decode())
@given(data=PLAYLIST)
@example(data=b"1.m4s?v={$v}\n1.m4s?{\n1.m4s#{$v}\n")
def test_fast_is_slow(slow: Slow, data: bytes) -> None:
    assert slow.fast(data) == slow.rewritten(data)


@pytest.mark.skipif(not CORPUS.exists(), reason="the shared corpus is not here")
def test_the_corpus_whole_and_damaged() -> None:
    """Every file, and copies of it with bytes changed, cut out or repeated."""
    draw = random.Random(6)
    for path in sorted(CORPUS.rglob("*")):
        if not path.is_file() or path.stat().st_size > 100_000:
            continue
        data = path.read_bytes()
        for _ in range(3):
            if b"\0" not in data:
                slow = draw.choice(SLOW)
                assert slow.fast(data) == slow.rewritten(data), path
            data = damaged(data, draw)


def damaged(data: bytes, draw: random.Random) -> bytes:
    for _ in range(draw.randint(1, 8)):
        at = draw.randrange(len(data) + 1)
        end = min(len(data), at + draw.randint(0, 12))
        instead = draw.choice(
            [b"", data[at:end] * 2, draw.choice([b'"', b",", b"\r", b"/", b"=", b"#"])]
        )
        data = data[:at] + instead + data[end:]
    return data


def test_plain_references_cost_no_call() -> None:
    """The hot form of every origin: relative, absolute path and own absolute URL, with a query."""

    def never(reference: bytes) -> bytes:
        raise AssertionError(reference)

    name = b"1.m4s?a=~*:/..\n"
    data = b"".join([name, b"v/", name, b"/base/v/", name, b"http://o:1/base/v/", name])
    out = rewrite(
        Playlist(data, whole=False),
        LEAD,
        home=b"/v/",
        prefix=b"/base",
        root=b"http://o:1",
        resolve=never,
        relate=never,
    ).render(b"T")
    folders = (b"", b"v/", b"", b"")
    assert out == b"".join(b"http://a/cat:T/v/" + folder + name for folder in folders)


def test_a_callback_that_fails_is_heard() -> None:
    def broken(reference: bytes) -> bytes:
        raise LookupError(reference)

    with pytest.raises(LookupError):
        rewrite(
            Playlist(b"../x\n", whole=False),
            LEAD,
            home=b"/",
            prefix=b"",
            root=b"http://o",
            resolve=broken,
            relate=broken,
        )


def test_too_many_uris_are_refused() -> None:
    """A megabyte of one-letter names would become gigabytes of personal URLs."""
    slow = SLOW[0]
    most = b"a\n" * MAX_URIS
    assert len(slow.fast(most)) > len(most)
    with pytest.raises(PlaylistError, match="too_many_uris"):
        slow.fast(most + b"a\n")


@pytest.mark.parametrize(
    "reference, led",
    [
        (b"1.m4s", b"http://a/cat:TOK/live/x/1.m4s?T=TOK"),
        (b"1.m4s?q=~*=", b"http://a/cat:TOK/live/x/1.m4s?q=~*=&T=TOK"),
        (b"1.m4s#f?x", b"http://a/cat:TOK/live/x/1.m4s?T=TOK#f?x"),
        (b"../1.m4s?q#f", b"http://a/cat:TOK/live/1.m4s?q&T=TOK#f"),
        (b"http://o:1/v/1.m4s", b"http://a/cat:TOK/v/1.m4s?T=TOK"),
        (b"http://elsewhere/1.m4s", b"http://elsewhere/1.m4s"),
    ],
)
def test_a_tail_ends_the_query(reference: bytes, led: bytes) -> None:
    """HLS-M5, MP-65: joined with the right mark, before a fragment, nothing encoded anew."""
    slow = Slow("http://o:1", "http://o:1/live/x/media.m3u8")
    data = b'#EXT-X-MAP:URI="' + reference + b'"\n' + reference + b"\n"
    out = rewrite(
        Playlist(data, whole=False),
        LEAD,
        home=slow.folder,
        prefix=b"",
        root=b"http://o:1",
        resolve=slow.public_path,
        relate=slow.relate,
        tail=Template([b"T=", 0]),
    )
    assert out.render(b"TOK") == b'#EXT-X-MAP:URI="' + led + b'"\n' + led + b"\n"
