"""Rolling bodies: pieces, gzip and tags against joined text and zlib."""

import gzip
import zlib

from hypothesis import given, settings
from hypothesis import strategies as st

from origin.hls import rolling
from origin.hls.rolling import Run, block, combined, power, whole


@given(st.binary(max_size=300), st.binary(max_size=300))
def test_checksums_add_up(one: bytes, two: bytes) -> None:
    got = combined(zlib.crc32(one), zlib.crc32(two), power(len(two)))
    assert got == zlib.crc32(one + two)


@given(
    st.lists(st.one_of(st.none(), st.binary(min_size=1, max_size=200)), max_size=30),
    st.binary(max_size=50),
    st.binary(max_size=50),
)
@settings(deadline=None)
def test_bodies_are_one_member_of_what_they_say(
    steps: list[bytes | None], head: bytes, tail: bytes
) -> None:
    """None drops the oldest block; the gzip twin always decompresses to the plain pieces."""
    run, blocks = Run(), []
    for step in steps:
        if step is not None:
            blocks.append(step)
            run.append(block(step))
        elif blocks:
            blocks.pop(0)
            run.drop()
        text = run.wrapped(head, tail)
        joined = head + b"".join(blocks) + tail
        assert b"".join(text.plain) == joined
        reader = zlib.decompressobj(16 + zlib.MAX_WBITS)
        assert reader.decompress(b"".join(text.gzip)) == joined
        assert reader.eof and not reader.unused_data
        assert run.size_bytes == sum(map(len, blocks))


@given(st.binary(max_size=80), st.binary(max_size=80), st.integers(0, 80))
def test_tags_tell_bodies_apart(one: bytes, two: bytes, cut: int) -> None:
    """Equal splits have equal tags; what moves between head and tail is another tag."""
    run = Run()
    run.append(block(b"settled"))
    tags = {run.wrapped(one, two).etag, run.wrapped(one, two).etag}
    assert len(tags) == 1
    assert run.wrapped(one, two + b"x").etag not in tags
    both = one + two
    if both[:cut] != one:
        assert run.wrapped(both[:cut], both[cut:]).etag not in tags


def test_whole_bodies_and_levels() -> None:
    text = whole(b"#EXTM3U\n" * 100)
    assert gzip.decompress(text.gzip[0]) == text.plain[0]
    assert len(text.gzip[0]) < 60
    assert len(text.etag) == rolling.TAG_CHARACTERS


def test_a_new_tail_touches_no_settled_block() -> None:
    run = Run()
    for number in range(200):
        run.append(block(b"%d.m4s\n" % number * 20))
    one, two = run.wrapped(b"head", b"a"), run.wrapped(b"head", b"b")
    assert all(x is y for x, y in zip(one.gzip[1:-1], two.gzip[1:-1], strict=True))
    assert all(x is y for x, y in zip(one.plain[1:-1], two.plain[1:-1], strict=True))
