"""Coded copies that share their stream (MP-52; RFC 1951, RFC 1952)."""

import gzip
from typing import Any

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manifest_proxy.copies import ZIPPED_FROM, Copies
from manifest_proxy.zipped import MAX_TOKEN, zipped
from native.holes import Template
from native.http import Answer, Request, serve
from native.personal import Stream

TOKENS = st.text("abcdefghijklmnopqrstuvwxyz0123456789-_", min_size=1, max_size=300)
TEXT = st.one_of(
    st.binary(max_size=30),
    st.sampled_from([b"#EXTINF:2,\n", b"https://cdn.example/cat:", b"/live/a/v1/7.m4s\n"]),
    st.integers(0, 30).map(lambda n: b"/live/a/v1/%d.m4s\n" % n),
)
PIECES = st.lists(st.one_of(TEXT, st.just(0)), max_size=80)


@given(PIECES, TOKENS, TOKENS)
def test_what_is_shared_holds_for_any_token(pieces: list[bytes | int], one: str, two: str) -> None:
    template = Template(pieces)
    shared = zipped(template, len(one))
    if shared is None:  # a token of few octets, or one that the text has too
        return
    for token in (one, (two * 300)[: len(one)]):
        body = template.render(token.encode())
        assert gzip.decompress(shared.of(token.encode())) == body


def test_a_window_of_many_segments() -> None:
    """References reach no further back than a window (RFC 1951 section 2)."""
    template = Template(p for n in range(900) for p in (b"#EXTINF:2,\nhttps://a/", 0, b"/%d\n" % n))
    shared = zipped(template, 200)
    assert shared is not None
    body = template.render(b"t" * 200)
    assert gzip.decompress(shared.of(b"t" * 200)) == body
    assert len(body) > 190_000 and len(shared.of(b"t" * 200)) < 6000


def test_what_is_not_shared() -> None:
    assert zipped(Template([b"x", 0]), MAX_TOKEN + 1) is None
    assert zipped(Template([b"x", 0]), 0) is None
    assert zipped(Template([b"x", 1]), 8) is None
    assert zipped(Template([b"x", 0, 1]), 8) is None
    assert zipped(Template([b"x"]), 8) is None
    octets = [bytes([octet]) for octet in range(256)]
    assert zipped(Template([b"x", 0, *octets]), 1) is None


def test_a_stream_is_of_one_length() -> None:
    with pytest.raises(ValueError):
        Stream(b"", b"", b"abc", b"b").of(b"bb")
    with pytest.raises(ValueError):
        Stream(b"", b"", b"abc", b"")


def test_copies_share_only_what_the_token_alone_tells_apart() -> None:
    text = [b"segment of nothing\n", 0] * 99
    personal, named = Copies(Template(text), "text/plain"), Copies(Template([*text, 1]), "a/b")
    marked = Copies(Template([*text, b"~m-07"]).choosing(b"~m-"), "a/b", ("x", "yy"))
    for at in range(2 * ZIPPED_FROM):
        token, sid = b"token-%02d" % at, b"s%d" % at
        for copies, pattern in ((personal, b""), (named, b""), (marked, bytes([at % 2] * 32))):
            coded = copies.copy(token, sid, coded=True, pattern=pattern)
            plain = copies.copy(token, sid, coded=False, pattern=pattern)
            body = plain.body
            assert gzip.decompress(coded.body) == body
            assert coded.etag == plain.etag + "-gz" and token in body
            assert body.endswith(b"yy" if at % 2 else b"x") or copies is not marked


@pytest.mark.parametrize("holes", [[0], []])
async def test_one_url_has_two_representations(holes: list[int]) -> None:
    """RFC 9110 sections 8.4, 8.8.3 and 12.5.5: each has a tag of its own, and caches are told."""
    copies = Copies(Template([b"segment of nothing\n", *holes] * 99), "a/b")

    def handler(request: Request) -> Answer:
        return copies.copy(
            b"t" * 40, b"", coded="gzip" in (request.header("accept-encoding") or "")
        )

    async def ask(coding: str, tag: str = "") -> tuple[int, Any, bytes]:
        headers = {"Accept-Encoding": coding} | ({"If-None-Match": tag} if tag else {})
        url = f"http://127.0.0.1:{server.port}/"
        async with http.get(url, headers=headers) as answer:
            return answer.status, answer.headers, await answer.read()

    server = await serve(handler, host="127.0.0.1", port=0)
    async with aiohttp.ClientSession(auto_decompress=False) as http:
        plain = await ask("identity")
        for _ in range(2 * ZIPPED_FROM):
            coded = await ask("gzip")
            assert gzip.decompress(coded[2]) == plain[2]
            assert coded[1]["Content-Encoding"] == "gzip" and "Accept-Encoding" in coded[1]["Vary"]
        tags = [one[1]["ETag"] for one in (plain, coded)]
        assert "Content-Encoding" not in plain[1] and tags[1] == tags[0][:-1] + '-gz"'
        for coding, tag in zip(("identity", "gzip"), tags, strict=True):
            status, headers, body = await ask(coding, tag)
            assert (status, headers["ETag"], body) == (304, tag, b"")
        assert [(await ask("gzip", tags[0]))[0], (await ask("identity", tags[1]))[0]] == [200, 200]
    await server.close()
