"""Which tracks of a live channel share a key: presets of SPEKE v2 (PR-40, PR-104)."""

import re
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from origin_rigs.protection_rig import frames
from origin_rigs.sealed_rig import FIRST, SealedRig, films
from pydantic import ValidationError

from origin.protection.contract import AUDIO, VIDEO, Contract, contract_with
from origin.protection.cpix_source import CONTEXTS
from origin.protection.keys import role_of
from origin.protection.periods import Slot, Terms, slot_at
from origin.settings import LiveProtection
from origin.tracks import Rendition

MAP = re.compile(r'#EXT-X-MAP:URI="([^"]+)"')
KID = re.compile(r"https://keys.test/key/([0-9a-f]{32})")
SIZES = st.sampled_from([(640, 360), (1280, 720), (1920, 1080), (3840, 2160), (7680, 4320)])


def played(folder: Path, **terms: Any) -> SealedRig:
    rig = SealedRig(folder, **terms)
    rig.begin()
    rig.play(FIRST, 3)
    return rig


@pytest.mark.parametrize(
    ("terms", "roles"),
    [
        ({"video": "V8", "audio": "A2"}, {"v": "sd+hd1", "a": "stereo_audio"}),
        ({"video": "V1", "audio": "UNENCRYPTED"}, {"v": "video", "a": ""}),
        ({"video": "UNENCRYPTED"}, {"v": "", "a": "audio"}),
        ({"source": "speke", "speke": {"video": "V7", "audio": "A3"}},
         {"v": "sd+hd1", "a": "stereo_audio"}),
        ({"source": "speke", "speke": {"video": "SHARED", "audio": "SHARED"}},
         {"v": "all", "a": "all"}),
    ],
)  # fmt: skip
def test_a_channel_has_the_keys_of_its_preset(
    tmp_path: Path, terms: dict[str, Any], roles: dict[str, str]
) -> None:
    """PR-104: every track decrypts with the key of its type, or is clear."""
    rig = played(tmp_path, **terms)
    for track, role in roles.items():
        text, film = rig.text(track), films()[track]
        leaf = next(line for line in text.split("\n") if line.endswith(".m4s"))
        (header,) = set(MAP.findall(text))
        clear = film.header + b"".join(film.pieces(int(leaf.split(".")[0])))
        served = rig.body(track, header) + rig.body(track, leaf)
        key = rig.source.file.vault().find("c", "cbcs", role)
        assert set(KID.findall(text)) == ({key.kid.hex()} if key else set())
        assert (key is not None) == bool(role)
        secret = key.secret.reveal().hex() if key else None
        assert frames(served, tmp_path, secret) == frames(clear, tmp_path)
    assert rig.body("v", f"{leaf.split('.')[0]}.i.m4s")


@given(size=SIZES, channels=st.integers(1, 12), video=st.sampled_from(sorted(VIDEO)))
def test_every_role_is_known_to_every_source(
    size: tuple[int, int], channels: int, video: Any
) -> None:
    """PR-40, PR-95: the default is ours; a document has an example of each that its rule takes."""
    picture = Rendition("v", "video", "avc1", 1, width=size[0], height=size[1])
    sound = Rendition("a", "audio", "mp4a", 1, channels=channels)
    for r in (picture, sound):
        assert Contract().role(r) == role_of(r)
        assert Contract("SHARED", "SHARED").role(r) == role_of(r, shared=True)
        for audio in AUDIO:
            contract = Contract(video, audio)
            role = contract.role(r)
            example = CONTEXTS[role]
            same = Rendition(
                "x", r.kind, r.codecs, 1, width=example.width or 0, height=example.height or 0,
                channels=example.channels or 0,
            )  # fmt: skip
            assert contract.role(same) == role
            assert role in contract_with(contract.roles).roles


def test_other_presets_have_other_headers() -> None:
    """PR-160: a channel that changes its keys changes its URLs."""
    tables = [
        Terms(0, "cbcs", "c", video=video, audio=audio)  # type: ignore[arg-type]
        for video in VIDEO
        for audio in AUDIO
    ]
    slots = [slot_at([terms], {}, Fraction(2), 9) for terms in tables]
    assert len({slot.init for slot in slots if isinstance(slot, Slot)}) == len(tables)


@pytest.mark.parametrize(
    "wrong",
    [
        {"video": "SHARED"},
        {"audio": "SHARED"},
        {"video": "UNENCRYPTED", "audio": "UNENCRYPTED"},
        {"video": "V1", "source": "speke"},
        {"audio": "A2", "shared": True},
        {"video": "V9"},
    ],
)
def test_presets_that_cannot_be(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        LiveProtection.model_validate(wrong)
