"""MPEG-TS under AES-128 with the key that a CPIX document gives for it (PR-91, PR-145)."""

import base64
import re
from fractions import Fraction
from pathlib import Path
from typing import Literal

import pytest
from Crypto.Cipher import AES
from Crypto.Util.Padding import unpad
from origin_rigs.outputs_rig import Title
from origin_rigs.protection_rig import VECTORS
from origin_rigs.recipes import recipe

from origin.protection import cpix
from origin.protection.errors import ProtectionError
from origin.protection.title_source import protect_from
from origin.protection.titles import Guards, protect
from origin.settings import Protection
from origin.vod import Library, register

PLAIN = (VECTORS / "cpix/clear_3keys_cenc.xml").read_text()
KID, SECRET = "00000000-0000-0000-0000-00000000a128", bytes(range(16))
PREFIX = "https://keys.example.com/k"
SETTINGS = Protection.model_validate(
    {"master_key": "c5" * 32, "systems": ["clearkey"], "urls": {"identity": PREFIX}}
)
LINE = re.compile(r'#EXT-X-KEY:METHOD=AES-128,URI="([^"]+)",IV=0x([0-9a-f]{32})')


def document(system: str, kid: str = KID) -> str:
    """Three keys of pictures and sound, and one more, of this system."""
    value = base64.b64encode(SECRET).decode()
    key = (
        f'<ContentKey kid="{KID}"><Data><pskc:Secret><pskc:PlainValue>{value}'
        "</pskc:PlainValue></pskc:Secret></Data></ContentKey></ContentKeyList>"
    )
    text = PLAIN.replace("</ContentKeyList>", key)
    described = f'<DRMSystem kid="{kid}" systemId="{system}"/></DRMSystemList>'
    return text.replace("</DRMSystemList>", described)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("outside")
    for title in ("clear", "film"):
        register(folder, [recipe("surround")], title, segment_s=Fraction(2))
    return folder


@pytest.mark.parametrize("scheme", ["cenc", "cbcs"])
def test_another_document_s_keys_take_the_place_of_the_first(
    folder: Path, scheme: Literal["cenc", "cbcs"]
) -> None:
    """PR-95: also under cbcs, as whose our own key of packets is filed; and back again."""
    path, system = folder / "new.cpix.xml", min(map(str, cpix.TRANSPORT_SYSTEMS))
    protect(folder, "film", [scheme], SETTINGS)
    text = re.sub(r"<HLSSignalingData.*?</HLSSignalingData>", "", document(system), flags=re.S)
    text = text.replace('Scheme="cenc"', f'Scheme="{scheme}"')
    moved = re.sub(r"(?<=[kK]id=\")[0-9a-f]{8}", lambda kid: f"{int(kid[0], 16) ^ 1:08x}", text)
    for told in (text, moved, text):
        path.write_text(told)
        keys = protect_from(folder, "film", scheme, SETTINGS, f"cpix:{path}")
        guard = Guards(folder, SETTINGS).get("film", "")
        assert guard is not None and guard.lock is not None
        assert guard.lock.key.uuid in told and guard.lock.key.uuid not in {k.uuid for k in keys}
        assert all(key.uuid in told for key in keys)


@pytest.mark.parametrize("system", sorted(map(str, cpix.TRANSPORT_SYSTEMS)))
def test_packets_have_the_document_s_key(folder: Path, system: str) -> None:
    """PR-145: it opens them, and serves nothing else."""
    path = folder / "film.cpix.xml"
    path.write_text(document(system))
    keys = protect_from(folder, "film", "cenc", SETTINGS, f"cpix:{path}")
    assert SECRET not in {key.secret.reveal() for key in keys}
    library = Library(folder, guards=Guards(folder, SETTINGS))
    sealed, clear = Title(library), Title(library, "clear")
    leaf = re.findall(r"^[^#\n].*$", sealed.get("ts.m3u8").decode(), re.M)[0]
    playlist = sealed.get(leaf).decode()
    found = LINE.findall(playlist)
    names = re.findall(r"^[^#\n].*$", playlist, re.M)
    assert len(found) == len(names) >= 2
    for (uri, iv), name in zip(found, names, strict=True):
        assert uri == f"{PREFIX}/{KID.replace('-', '')}"
        closed = sealed.get(f"{leaf.partition('/')[0]}/{name}")
        opened = AES.new(SECRET, AES.MODE_CBC, bytes.fromhex(iv)).decrypt(closed)
        assert unpad(opened, 16) == clear.get(f"{leaf.partition('/')[0]}/{name}")
    library.close()


def test_without_such_a_key_there_are_no_packets(folder: Path) -> None:
    """PR-145: a key of ours, that the title had before, does not step in."""
    path = folder / "plain.cpix.xml"
    path.write_text(PLAIN)
    protect(folder, "film", ["cenc"], SETTINGS)
    assert Guards(folder, SETTINGS).get("film", "").lock is not None  # type: ignore[union-attr]
    protect_from(folder, "film", "cenc", SETTINGS, f"cpix:{path}")
    assert Guards(folder, SETTINGS).get("film", "").lock is None  # type: ignore[union-attr]


def test_a_key_of_another_system_is_no_key_of_packets() -> None:
    """PR-145: what a key URL gives away opens nothing else."""
    (first, other) = sorted(map(str, cpix.TRANSPORT_SYSTEMS))
    taken = re.findall(r'kid="([0-9a-f-]{36})"', PLAIN)[0]
    two = document(first).replace(
        "</DRMSystemList>", f'<DRMSystem kid="{taken}" systemId="{other}"/></DRMSystemList>'
    )
    for wrong in (document(first, taken), two):
        with pytest.raises(ProtectionError) as refused:
            cpix.read(wrong.encode(), "cenc")
        assert refused.value.code == "bad_document"
    assert cpix.read(document(first).encode(), "cenc").transport is not None
    assert cpix.read(PLAIN.encode(), "cenc").transport is None
