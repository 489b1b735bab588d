"""MPEG-TS under AES-128 with a key of a SPEKE server (PR-100, PR-101, PR-103, PR-145)."""

import hashlib
import re
import subprocess
import uuid
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import pytest
from Crypto.Cipher import AES
from Crypto.Util.Padding import unpad
from lxml import etree
from origin_rigs.outputs_rig import Title
from origin_rigs.protection_rig import VECTORS
from origin_rigs.recipes import recipe
from origin_rigs.speke_rig import speke_server

from origin.protection import cpix, speke
from origin.protection.errors import ProtectionError
from origin.protection.title_source import protect_from
from origin.protection.titles import Guards
from origin.settings import Protection
from origin.vod import Library, register

LINE = re.compile(r'#EXT-X-KEY:METHOD=AES-128,URI="([^"]+)",IV=0x([0-9a-f]{32})')
LEAF = re.compile(r"^[^#\n].*$", re.M)
FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with speke_server(tmp_path_factory.mktemp("packets")) as address:
        yield address


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("films")
    for title in ("clear", "film"):
        register(folder, [recipe("surround")], title, segment_s=Fraction(2))
    return folder


def protection(url: str, **more: Any) -> Protection:
    return Protection.model_validate(
        {
            "master_key": "c5" * 32,
            "systems": ["clearkey", "widevine"],
            "urls": {"identity": "https://keys.example.com/k"},
            "speke": {"url": url, **more},
        }
    )


def key_of(kid: str) -> bytes:
    """What the server gives for a KID (tests/twins/speke_server.py)."""
    return hashlib.sha256(b"speke twin " + kid.encode()).digest()[:16]


def recipient(folder: Path) -> dict[str, str]:
    text = (VECTORS / "speke/encrypted_cbcs.request.xml").read_text()
    text = text.partition("X509Certificate>")[2].partition("<")[0]
    pem = folder / "recipient.crt"
    pem.write_text(f"-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
    key = VECTORS / "cpix/recipient.pem"
    return {"recipient_certificate": str(pem), "recipient_key": str(key)}


@pytest.mark.parametrize(
    ("mode", "version"), [("good", "2.0"), ("replaces", "2.1"), ("mac/2", "2.0")]
)
def test_packets_open_with_the_server_s_key(
    server: str, folder: Path, tmp_path: Path, mode: str, version: str
) -> None:
    """The KID of the answer counts, and the key opens nothing but packets."""
    sealed = recipient(tmp_path) if mode == "mac/2" else {}
    settings = protection(f"{server}/{mode}", aes128=True, version=version, **sealed)
    name = mode.replace("/", "-")
    register(folder, [recipe("surround")], name, segment_s=Fraction(2))
    keys = protect_from(folder, name, "cenc", settings, "speke")
    library = Library(folder, guards=Guards(folder, settings))
    film, clear = Title(library, name), Title(library, "clear")
    playlists = LEAF.findall(film.get("ts.m3u8").decode())
    assert len(playlists) == 1
    track = playlists[0].partition("/")[0]
    playlist = film.get(playlists[0]).decode()
    found, objects = LINE.findall(playlist), LEAF.findall(playlist)
    assert len(found) == len(objects) >= 2 and len({iv for _, iv in found}) == len(found)
    [kid] = {uuid.UUID(uri.rpartition("/")[2]) for uri, _ in found}
    assert str(kid) not in {key.uuid for key in keys}
    asked = speke.of_packets(name)
    assert (kid == asked.kid(asked.rules[0])) == (mode != "replaces")
    secret = key_of(str(kid))
    for (_, iv), leaf in zip(found, objects, strict=True):
        opened = AES.new(secret, AES.MODE_CBC, bytes.fromhex(iv)).decrypt(
            film.get(f"{track}/{leaf}")
        )
        assert unpad(opened, 16) == clear.get(f"{track}/{leaf}")
    library.close()


def test_ffmpeg_plays_them(server: str, folder: Path, tmp_path: Path) -> None:
    """PR-176: a player that is not ours, with the playlist and the key as they are served."""
    settings = protection(f"{server}/good", aes128=True)
    protect_from(folder, "film", "cbcs", settings, "speke")
    library = Library(folder, guards=Guards(folder, settings))
    pictures = []
    for title in (Title(library, scheme="cbcs"), Title(library, "clear")):
        leaf = LEAF.findall(title.get("ts.m3u8").decode())[0]
        playlist = title.get(leaf).decode()
        home = tmp_path / str(len(pictures))
        home.mkdir()
        for name in LEAF.findall(playlist):
            (home / name).write_bytes(title.get(f"{leaf.partition('/')[0]}/{name}"))
        for uri, _ in LINE.findall(playlist):
            kid = uuid.UUID(uri.rpartition("/")[2])
            (home / "key").write_bytes(key_of(str(kid)))
            playlist = playlist.replace(uri, "key")
        (home / "media.m3u8").write_text(playlist)
        command = [FFMPEG, "-v", "error", "-allowed_extensions", "ALL", "-i"]
        command += [str(home / "media.m3u8"), "-map", "0:v", "-f", "framemd5", "-"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=True)
        pictures.append([row for row in done.stdout.splitlines() if row[0] != "#"])
    assert pictures[0] == pictures[1] and len(pictures[0]) > 40
    library.close()


def test_nobody_is_asked_unasked(server: str, folder: Path) -> None:
    """Servers that know no AES-128 go on as before: without packets."""
    settings = protection(f"{server}/good")
    protect_from(folder, "film", "cenc", settings, "speke")
    guard = Guards(folder, settings).get("film", "cenc")
    assert guard is not None and guard.lock is None


def test_the_question_and_answers_that_are_none() -> None:
    """One key of all tracks, for that system alone, and nothing else of it is wanted."""
    request = speke.of_packets("film")
    root = etree.fromstring(request.body())
    names = {"c": "urn:dashif:org:cpix"}
    [system] = root.findall("c:DRMSystemList/c:DRMSystem", names)
    [key] = root.findall("c:ContentKeyList/c:ContentKey", names)
    [rule] = root.findall("c:ContentKeyUsageRuleList/c:ContentKeyUsageRule", names)
    assert system.get("systemId") == "3ea8778f-7742-4bf9-b18b-e834b2acbd47" and not len(system)
    assert key.get("kid") == system.get("kid") == rule.get("kid")
    assert rule.get("intendedTrackType") == "ALL"
    value = "<pskc:Secret><pskc:PlainValue>{}</pskc:PlainValue></pskc:Secret>"
    data = f"<cpix:Data>{value.format('AAECAwQFBgcICQoLDA0ODw==')}</cpix:Data>"
    text = request.body().decode()
    whole = re.sub(r"(<cpix:ContentKey [^>]*)/>", rf"\1>{data}</cpix:ContentKey>", text)
    assert speke.read_packets(request, whole.encode(), {}).secret.reveal() == bytes(range(16))
    other = whole.replace(str(cpix.TRANSPORT_SYSTEM), "edef8ba9-79d6-4ace-a3c8-27dcd51d21ed")
    sealed = speke.of_packets("film", "Q0VSVA==")
    for question, answer in ((request, other), (sealed, whole)):
        with pytest.raises(ProtectionError) as refused:
            speke.read_packets(question, answer.encode(), {})
        assert refused.value.code == "key_server"
