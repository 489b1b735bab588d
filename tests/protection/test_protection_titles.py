"""Films protected as they are served: key file, playlists, segments (PR-16, PR-42, PR-43)."""

import base64
import os
import re
import stat
import struct
import subprocess
from collections.abc import Awaitable
from fractions import Fraction
from pathlib import Path

import pytest
from origin_rigs.protection_rig import FFMPEG, VECTORS, boxes, child, frames

from native.http import Entity, Refusal
from origin.protection.errors import ProtectionError
from origin.protection.keyfile import KeyFile
from origin.protection.titles import Guards, protect
from origin.settings import Protection
from origin.vod import Library, register

SETTINGS = Protection.model_validate(
    {
        "systems": ["clearkey", "widevine", "playready"],
        "urls": {"clearkey": "http://127.0.0.1:1/l", "identity": "http://127.0.0.1:1/k"},
    }
)
TRACKS = ("v90", "a-und")


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    register(tmp_path, [mux(tmp_path, "avc_bf2.mp4")], "film", segment_s=Fraction(1))
    return tmp_path


def mux(folder: Path, video: str) -> Path:
    """Pictures and sound of the known answers as one film."""
    path = folder / f"film-{video}"
    inputs = [arg for name in (video, "aac.mp4") for arg in ("-i", str(VECTORS / "src" / name))]
    command = [
        FFMPEG,
        "-v",
        "error",
        *inputs,
        "-c",
        "copy",
        "-map",
        "0:v",
        "-map",
        "1:a",
        str(path),
    ]
    subprocess.run(command, check=True, timeout=60)
    return path


def library(data_dir: Path) -> Library:
    return Library(data_dir, guards=Guards(data_dir, SETTINGS))


async def get(films: Library, leaf: str, query: str = "") -> Entity | Refusal:
    answer = films.answer("film", leaf, query)
    return await answer if isinstance(answer, Awaitable) else answer


async def body(films: Library, leaf: str, query: str = "") -> bytes:
    entity = await get(films, leaf, query)
    assert isinstance(entity, Entity), leaf
    return b"".join([entity.body] if isinstance(entity.body, bytes) else entity.body)


async def names(films: Library) -> list[str]:
    mpd = (await body(films, "manifest.mpd")).decode()
    return [n for n in re.findall(r'<Representation id="([^"]+)"', mpd) if not n.endswith(".i")]


async def whole(films: Library, track: str, prefix: str = "") -> bytes:
    """Header and all segments that the playlist lists."""
    playlist = (await body(films, f"{prefix}{track}/media.m3u8")).decode()
    leaves = ["init.mp4", *re.findall(r"^\d+\.m4s$", playlist, re.M)]
    return b"".join([await body(films, f"{prefix}{track}/{leaf}") for leaf in leaves])


@pytest.mark.parametrize("scheme", ["cbcs", "cenc"])
async def test_every_track_decrypts_to_the_clear_one(
    data_dir: Path, tmp_path: Path, scheme: str
) -> None:
    """PR-176"""
    clear = Library(data_dir)
    tracks = await names(clear)
    wanted = {track: frames(await whole(clear, track), tmp_path) for track in tracks}
    keys = {key.role: key for key in protect(data_dir, "film", [scheme], SETTINGS)}
    assert set(keys) == {"audio", "sd"}
    films = library(data_dir)
    for track in tracks:
        key = keys["sd" if track.startswith("v") else "audio"].secret.reveal().hex()
        data = await whole(films, track)
        assert frames(data, tmp_path, key) == wanted[track]
        with pytest.raises(AssertionError):
            assert frames(data, tmp_path, "00" * 16) == wanted[track]


async def test_a_title_with_both_schemes_has_the_other_below_a_folder(data_dir: Path) -> None:
    """PR-170: two sets, two sets of KIDs."""
    keys = protect(data_dir, "film", ["cbcs", "cenc"], SETTINGS)
    assert len({key.kid for key in keys}) == len({key.secret.reveal() for key in keys}) == 4
    films = library(data_dir)
    track = next(n for n in await names(films) if n.startswith("v"))
    for prefix, method in (
        ("", "SAMPLE-AES"),
        ("cbcs/", "SAMPLE-AES"),
        ("cenc/", "SAMPLE-AES-CTR"),
    ):
        playlist = (await body(films, f"{prefix}{track}/media.m3u8")).decode()
        lines = playlist.splitlines()
        found = [line for line in lines if line.startswith("#EXT-X-KEY:")]
        assert {re.search("METHOD=([^,]+)", line)[1] for line in found} == {method}
        assert lines.index(found[-1]) + 1 == lines.index('#EXT-X-MAP:URI="init.mp4"')
        init = await body(films, f"{prefix}{track}/init.mp4")
        kid = child(
            init, "moov", "trak", "mdia", "minf", "stbl", "stsd", "encv", "sinf", "schi", "tenc"
        )[8:24]
        mpd = (await body(films, f"{prefix}manifest.mpd")).decode()
        assert kid.hex() in mpd.replace("-", "")
        assert "http://127.0.0.1:1/k/" + kid.hex() in playlist
    assert isinstance(await get(films, "other/master.m3u8"), Refusal)


async def test_clear_key_is_chosen_by_the_multivariant_playlist(data_dir: Path) -> None:
    """PR-61"""
    protect(data_dir, "film", ["cbcs"], SETTINGS)
    films = library(data_dir)
    plain = (await body(films, "master.m3u8")).decode()
    assert plain.count("#EXT-X-SESSION-KEY:") == 6
    w3c = (await body(films, "master.w3c.m3u8")).decode()
    assert "identity" in plain and "org.w3.clearkey" not in plain
    assert "org.w3.clearkey" in w3c and "identity" not in w3c
    children = re.findall(r"([^\"\n]+)/(media|iframe)\.w3c\.m3u8", w3c)
    assert sorted(leaf for _, leaf in children) == ["iframe", "media", "media"]
    for track, leaf in children:
        told = (await body(films, f"{track}/{leaf}.w3c.m3u8")).decode()
        assert "org.w3.clearkey" in told and "identity" not in told
        assert "identity" in (await body(films, f"{track}/{leaf}.m3u8")).decode()
    clip = (await body(films, "master.w3c.m3u8", "start=0&end=1")).decode()
    assert "/media.w3c.m3u8?start=0&end=1" in clip and "/media.m3u8" not in clip
    for leaf in ("bytes.w3c.m3u8", "ts.w3c.m3u8"):
        assert isinstance(await get(films, leaf), Refusal)


async def test_no_key_no_media(data_dir: Path) -> None:
    """PR-43: 503, never the clear film."""
    protect(data_dir, "film", ["cenc"], SETTINGS)
    for films in (Library(data_dir), library(data_dir)):
        if films._guards is not None:
            (data_dir / "origin" / "keys.json").unlink()
        for leaf in ("master.m3u8", "manifest.mpd", "cenc/master.m3u8"):
            answer = await get(films, leaf)
            assert isinstance(answer, Refusal)
            assert (answer.status, answer.code) == (503, "no_key")


async def test_ivs_name_samples_and_never_meet_again(data_dir: Path) -> None:
    """PR-16: across tracks and files of a title, before and after it is registered anew."""
    protect(data_dir, "film", ["cenc"], SETTINGS)
    seen: dict[bytes, tuple[str, int]] = {}
    for source in ("avc_bf2.mp4", "avc_cavlc_4slices.mp4"):
        path = data_dir / f"film-{source}"
        path = path if path.exists() else mux(data_dir, source)
        register(data_dir, [path], "film", segment_s=Fraction(1))
        if source != "avc_bf2.mp4":
            refused = await get(library(data_dir), "manifest.mpd")
            assert isinstance(refused, Refusal) and refused.status == 503
        keys = protect(data_dir, "film", ["cenc"], SETTINGS)
        films = library(data_dir)
        for track in await names(films):
            data, count = await whole(films, track), 0
            for kind, moof in boxes(data):
                if kind != "moof":
                    continue
                senc = child(moof, "traf", "senc")
                (samples,) = struct.unpack_from(">I", senc, 4)
                at = 8
                for _ in range(samples):
                    iv, at = senc[at : at + 8], at + 8
                    owner = (f"{source} {track}", count)
                    assert seen.setdefault(iv, owner) == owner
                    count += 1
                    if senc[3] == 2:
                        at += 2 + 6 * int.from_bytes(senc[at : at + 2], "big")
    assert len(keys) == 2
    assert len(seen) == 2 * 24 + 2 * count, "no IV was used twice"


def test_kids_and_keys_last(data_dir: Path) -> None:
    """PR-42"""
    first = protect(data_dir, "film", ["cbcs"], SETTINGS)
    assert protect(data_dir, "film", ["cbcs"], SETTINGS) == first


def test_the_master_key_file_is_private(data_dir: Path) -> None:
    """PR-90: whatever the umask, and no policy holds a key."""
    before = os.umask(0o700)
    try:
        keys = protect(data_dir, "film", ["cbcs"], SETTINGS)
    finally:
        os.umask(before)
    path = data_dir / "origin" / "master.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE((data_dir / "origin" / "keys.json").stat().st_mode) == 0o600
    path.chmod(0o640)
    with pytest.raises(ProtectionError) as refused:
        KeyFile.open(SETTINGS, data_dir)
    assert refused.value.code == "sealed"
    policy = (data_dir / "origin" / "vod" / "film" / "protection.json").read_bytes()
    for key in keys:
        value = key.secret.reveal()
        assert value.hex().encode() not in policy and base64.b64encode(value) not in policy
