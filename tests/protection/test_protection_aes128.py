"""Protected films for old devices: MPEG-TS under HLS AES-128 (PR-121, PR-145, TR-97)."""

import asyncio
import re
import subprocess
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import pytest
from aiohttp import web
from Crypto.Cipher import AES
from Crypto.Util.Padding import unpad
from origin_rigs.media_rig import frames
from origin_rigs.outputs_rig import Title
from origin_rigs.recipes import recipe

from native.http import Entity, Refusal
from origin.protection.aes128 import Lock
from origin.protection.errors import ProtectionError
from origin.protection.keyfile import KeyFile
from origin.protection.keys import TRANSPORT_ROLE, TRANSPORT_SCHEME, ContentKey
from origin.protection.licence import Verdict, routes
from origin.protection.titles import Guards, protect
from origin.settings import Protection
from origin.tracks import Segment
from origin.vod import Library, register

KEY = re.compile(r'#EXT-X-KEY:METHOD=AES-128,URI="([^"]+)",IV=0x([0-9a-f]{32})')


class Door:
    """The licence server, for whom `verdict` allows."""

    def __init__(self) -> None:
        self.verdict: Verdict = "ok"
        self.asked: list[str] = []
        self.file: KeyFile | None = None
        self.prefix = ""

    async def allow(self, request: web.Request, key: ContentKey) -> Verdict:
        self.asked.append(f"{key.content_id} {key.role}")
        return self.verdict

    def find(self, kid: bytes) -> ContentKey | None:
        return self.file.by_kid(kid) if self.file is not None else None


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    door, app = Door(), web.Application()
    app.add_routes(routes(door.find, door.allow))
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    door.prefix = f"http://127.0.0.1:{runner.addresses[0][1]}/v1/licence/key"
    yield door
    await runner.cleanup()


def settings(prefix: str, systems: Sequence[str] = ("clearkey",)) -> Protection:
    return Protection.model_validate({"systems": systems, "urls": {"identity": prefix}})


class Film(NamedTuple):
    clear: Title
    sealed: Title
    key: ContentKey
    folder: Path


PREFIX = "https://keys.example.com/k"


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Film]:
    folder = tmp_path_factory.mktemp("aes128")
    yield from _film(folder, PREFIX)


def _film(folder: Path, prefix: str) -> Iterator[Film]:
    register(folder, [recipe("surround")], "film", segment_s=Fraction(2))
    register(folder, [recipe("surround")], "clear", segment_s=Fraction(2))
    protect(folder, "film", ["cbcs", "cenc"], settings(prefix))
    key = (
        KeyFile.open(settings(prefix), folder)
        .vault()
        .find("film", TRANSPORT_SCHEME, TRANSPORT_ROLE)
    )
    assert key is not None
    library = Library(folder, guards=Guards(folder, settings(prefix)))
    yield Film(Title(library, "clear"), Title(library), key, folder)
    library.close()


def objects(playlist: str) -> list[tuple[str, bytes, str]]:
    """Key URI, IV and name of each object."""
    found, uri, iv = [], "", b""
    for line in playlist.splitlines():
        if key := KEY.fullmatch(line):
            uri, iv = key[1], bytes.fromhex(key[2])
        elif line and line[0] != "#":
            found.append((uri, iv, line))
            uri, iv = "", b""
    return found


def everything(film: Film) -> Iterator[tuple[str, str, list[tuple[str, bytes, str]]]]:
    """Every playlist of packets: track, leaf, objects."""
    master = film.sealed.get("ts.m3u8").decode()
    assert master == film.clear.get("ts.m3u8").decode()
    leaves = [*re.findall(r'URI="([^"]+)"', master), *re.findall(r"^[^#\n].*$", master, re.M)]
    for leaf in leaves:
        track, _, name = leaf.partition("/")
        yield track, name, objects(film.sealed.get(leaf).decode())


def test_every_object_opens_to_the_clear_one(film: Film) -> None:
    """PR-145, TR-97: whole objects, I frames too, padded, under a key that is nobody else's."""
    seen: dict[bytes, str] = {}
    playlists = list(everything(film))
    assert {name for _, name, _ in playlists} == {"ts.m3u8", "ts.iframe.m3u8"}
    for track, _, found in playlists:
        assert len(found) >= 2
        for uri, iv, name in found:
            assert uri == f"{PREFIX}/{film.key.kid.hex()}"
            assert seen.setdefault(iv, f"{track}/{name}") == f"{track}/{name}"
            closed = film.sealed.get(f"{track}/{name}")
            clear = film.clear.get(f"{track}/{name}")
            assert len(closed) == (len(clear) // 16 + 1) * 16
            secret = film.key.secret.reveal()
            assert unpad(AES.new(secret, AES.MODE_CBC, iv).decrypt(closed), 16) == clear
            assert film.sealed.get(f"{track}/{name}") == closed
    others = [k for k in protect(film.folder, "film", ["cbcs", "cenc"], settings(PREFIX))]
    assert film.key.secret.reveal() not in {k.secret.reveal() for k in others}


def test_a_clip_has_the_ivs_of_the_whole(film: Film) -> None:
    """PR-145: by media time, not by place in the playlist."""
    track = next(track for track, name, _ in everything(film) if name == "ts.iframe.m3u8")
    found = objects(film.sealed.get(f"{track}/ts.m3u8").decode())
    library = Library(film.folder, guards=Guards(film.folder, settings(PREFIX)))
    clip = library.answer("film", f"{track}/ts.m3u8", "start=3&end=4")
    library.close()
    assert isinstance(clip, Entity) and isinstance(clip.body, bytes)
    part = objects(clip.body.decode())
    assert 0 < len(part) < len(found) and set(part) < set(found)


@pytest.mark.parametrize("told", [settings(""), settings(PREFIX, ["widevine"])])
def test_where_nobody_gives_keys_there_are_no_packets(film: Film, told: Protection) -> None:
    """PR-43, PR-64: never in the clear, never with a key of a DRM system."""
    library = Library(film.folder, guards=Guards(film.folder, told))
    track = next(track for track, name, _ in everything(film) if name == "ts.iframe.m3u8")
    leaves = ["ts.m3u8", *(f"{track}/{x}" for x in ("ts.m3u8", "ts.iframe.m3u8", "1.ts", "1.i.ts"))]
    for leaf in leaves:
        answer = library.answer("film", leaf)
        assert isinstance(answer, Refusal) and answer.status == 404
    library.close()


def test_ivs_name_what_an_object_holds(film: Film) -> None:
    """PR-145: other sound beside, another length, another file or form: another IV."""
    lock = Lock(film.key, PREFIX, {"v": 0, "w": 1, "a": 2, "b": 0x7FFE, "c": 0x7FFF, "d": 0x8000})
    told = Segment(1, 7, 9, 0)
    lines = [
        lock.line(["v"], told, frame=False), lock.line(["v"], told, frame=True),
        lock.line(["v", "a"], told, frame=False), lock.line(["v", "b"], told, frame=False),
        lock.line(["w"], told, frame=False), lock.line(["a"], told, frame=False),
        lock.line(["v"], replace(told, start=8), frame=False),
        lock.line(["v"], replace(told, duration=8), frame=False),
    ]  # fmt: skip
    assert len(set(lines)) == len(lines)
    for names, shown in (
        (["d"], told), (["v", "c"], told), (["v"], replace(told, duration=1 << 32)),
        (["v"], replace(told, start=-1)),
    ):  # fmt: skip
        with pytest.raises(ProtectionError) as refused:
            lock.line(names, shown, frame=False)
        assert refused.value.code == "overflow"


@pytest.mark.twin
async def test_ffmpeg_plays_what_the_licence_server_opens(door: Door, tmp_path: Path) -> None:
    """PR-121, PR-145, PR-176: the frames of the clear film, and none without a right."""
    making = _film(tmp_path, door.prefix)
    film = await asyncio.to_thread(next, making)
    door.file = KeyFile.open(settings(door.prefix), tmp_path)
    track, _, found = next(each for each in await asyncio.to_thread(list, everything(film)))
    for side, title in (("clear", film.clear), ("sealed", film.sealed)):
        home = tmp_path / side
        home.mkdir()
        for leaf in ("ts.m3u8", *(name for _, _, name in found)):
            data = await asyncio.to_thread(title.get, f"{track}/{leaf}")
            (home / leaf).write_bytes(data)
    options = ("-protocol_whitelist", "file,http,tcp,crypto,data")
    wanted = await asyncio.to_thread(frames, tmp_path / "clear/ts.m3u8", *options)
    assert sum(map(len, wanted.values())) > 100
    assert await asyncio.to_thread(frames, tmp_path / "sealed/ts.m3u8", *options) == wanted
    assert set(door.asked) == {f"film {TRANSPORT_ROLE}"}
    door.verdict = "not_authorized"
    with pytest.raises(subprocess.CalledProcessError):
        await asyncio.to_thread(frames, tmp_path / "sealed/ts.m3u8", *options)
    making.close()
