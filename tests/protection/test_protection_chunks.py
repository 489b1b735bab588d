"""Low-latency chunks that no random access point begins: read by those before them in their
segment, and the same wherever they are sealed (PR-27, PR-30, PR-160, PR-161).
"""

import random
from dataclasses import replace
from pathlib import Path

import pytest
from origin_rigs.protection_rig import Clear, boxes, clear, frames, key_of
from origin_rigs.recipes import made
from origin_rigs.sealed_rig import FIRST, GRID_S, Film, SealedRig

from native.bmff.write import header
from native.cenc import Finder
from origin.protection.errors import ProtectionError
from origin.protection.keys import ContentKey
from origin.protection.sealer import Sealer

pytestmark = [pytest.mark.twin, pytest.mark.timeout(120)]

GROUP, CHUNK, GROUPS = 24, 5, 3
CHUNKS = [CHUNK] * (GROUP // CHUNK) + [GROUP % CHUNK]
ENCODERS = {  # parameter sets in the samples alone; frames whose headers follow from those before
    "avc3": ["libx264", "-preset", "veryfast", "-bf", "2", "-tag:v", "avc3",
             "-x264-params", "repeat-headers=1:slices=2:weightp=2:scenecut=0"],
    "hev1": ["libx265", "-preset", "ultrafast", "-tag:v", "hev1", "-x265-params",
             "repeat-headers=1:open-gop=0:scenecut=0:pools=1:log-level=error"],
    "av1": ["libsvtav1", "-preset", "10", "-svtav1-params", "lp=1"],
}  # fmt: skip
each_codec = pytest.mark.parametrize("codec", ENCODERS)
each_scheme = pytest.mark.parametrize("scheme", ["cbcs", "cenc"])


def encoded(codec: str, seconds: float = GROUP * GROUPS / 24, rate: int = 24, *more: str) -> Path:
    picture = f"testsrc2=size=320x180:rate={rate}:duration={seconds},format=yuv420p"
    tune = ["-threads", "1", "-c:v", *ENCODERS[codec], *(more or ["-g", str(GROUP)])]
    if codec != "av1":
        tune += ["-keyint_min", tune[tune.index("-g") + 1]]
    return made(f"chunks_{codec}_{rate}", ["-f", "lavfi", "-i", picture, *tune])


def source(codec: str, numbers: list[int]) -> Clear:
    """With a sample entry that holds no parameter sets."""
    found = clear(encoded(codec), numbers=numbers)
    entry = found.track.entry
    bare = bytearray(entry.config)
    if codec == "avc3":
        bare[5:7] = b"\xe0\0"
    elif codec == "hev1":
        bare[22] = 0
    else:
        del bare[4:]
        bare += bytes(len(entry.config) - 4)
    data = entry.data.replace(entry.config, bytes(bare))
    track = replace(found.track, entries=(replace(entry, config=bytes(bare), data=data),))
    return replace(found, track=track, init=header(track))


def key(scheme: str) -> ContentKey:
    iv = "20" * 16
    return key_of({"kid": "01" * 16, "key": "10" * 16, "scheme": scheme, "iv": iv, "id": "c"})


def rows(data: bytes) -> bytes:
    """The media of all fragments, and the rows of their senc."""
    media, listed = b"", b""
    for kind, body in boxes(data):
        if kind == "mdat":
            media += body
        elif kind == "moof":
            listed += dict(boxes(dict(boxes(body))["traf"]))["senc"][8:]
    return media + listed


@each_scheme
@each_codec
def test_chunks_are_their_segment(codec: str, scheme: str, tmp_path: Path) -> None:
    """PR-161: chunk by chunk, in one go, and as one fragment: the same bytes, ranges and IVs."""
    chunks, whole = source(codec, CHUNKS * GROUPS), source(codec, [GROUP] * GROUPS)
    sealer = Sealer(chunks.init, key(scheme))
    film = sealer.init()
    for group in range(GROUPS):
        mine = chunks.fragments[group * len(CHUNKS) : (group + 1) * len(CHUNKS)]
        state = sealer.begin()
        parts = [b"".join(sealer.seal(chunk, state=state)) for chunk in mine]
        assert b"".join(parts) == b"".join(sealer.seal(b"".join(mine)))
        assert rows(b"".join(parts)) == rows(b"".join(sealer.seal(whole.fragments[group])))
        with pytest.raises(ProtectionError) as refused:
            sealer.seal(mine[1])
        assert refused.value.code == "slice_header"
        film += b"".join(parts)
    opened = frames(film, tmp_path, key(scheme).secret.reveal().hex())
    assert opened == frames(chunks.init + b"".join(chunks.fragments), tmp_path)


@each_codec
def test_a_state_is_as_it_was_when_a_chunk_is_refused(codec: str) -> None:
    """PR-160: what is sealed anew comes out the same."""
    chunks = source(codec, CHUNKS * GROUPS).fragments
    sealer = Sealer(source(codec, CHUNKS * GROUPS).init, key("cenc"))
    whole = b"".join(sealer.seal(b"".join(chunks[: len(CHUNKS)])))
    state, parts, draw = sealer.begin(), [], random.Random(7)
    for chunk in chunks[: len(CHUNKS)]:
        at = chunk.index(b"mdat") + 4
        for _ in range(20):
            broken = bytearray(chunk)
            for _ in range(4):
                broken[draw.randrange(at, len(broken))] ^= 1 << draw.randrange(8)
            broken[-2:] = b"\xff\xff"
            cut = bytearray(chunk)
            cut[at : at + 4] = b"\xff\xff\xff\xff"
            for damaged in (bytes(broken), bytes(cut)):
                with pytest.raises(ProtectionError) as refused:
                    sealer.seal(damaged + b"\0\0\0\x08moof", state=state)
                assert refused.value.code in ("slice_header", "bad_box", "unsupported")
        parts.append(b"".join(sealer.seal(chunk, state=state)))
    assert b"".join(parts) == whole


def test_a_state_serves_its_own_kind_of_codec() -> None:
    """PR-152: nothing is read by what another codec told."""
    finders = {}
    for codec in ENCODERS:
        entry = source(codec, CHUNKS * GROUPS).track.entry
        finders[codec] = Finder(entry.config_kind, entry.config, "cbcs")
    for one, other in (("av1", "avc3"), ("hev1", "av1")):
        with pytest.raises(ValueError, match="another codec"):
            finders[one].find(b"", 0, b"", 40, finders[other].begin())


@each_codec
def test_a_channel_of_such_chunks(codec: str, tmp_path: Path) -> None:
    """PR-161, HLS-19: parts from memory, from the log after a restart, and one alone."""
    file = encoded(codec, float(5 * GRID_S), 25, "-g", "48")
    found = clear(file, numbers=[8] * 30)
    film = Film(found.init + b"".join(found.fragments))
    rig = SealedRig(tmp_path, scheme="cenc")
    rig.synths = {"v": film}
    rig.begin()
    rig.play(FIRST, 4)
    number = rig.channel.edge
    leaves = [f"{number}.{part}.m4s" for part in range(6)]
    parts = [rig.body("v", leaf) for leaf in leaves]
    assert b"".join(parts) == rig.body("v", f"{number}.m4s")
    rig.restart()
    rig.fetch()
    assert rig.body("v", leaves[4]) == parts[4]
    assert [rig.body("v", leaf) for leaf in reversed(leaves)] == parts[::-1]
