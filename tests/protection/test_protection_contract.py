"""Which keys a content id has: the presets of SPEKE v2 (PR-104)."""

from typing import Any

import pytest

from origin.protection.contract import AUDIO, VIDEO, Contract
from origin.protection.errors import ProtectionError
from origin.tracks import Rendition


@pytest.mark.parametrize(
    ("preset", "types"),
    [
        ("V1", ["VIDEO"] * 6),
        ("V2", ["SD", "HD", "HD", "HD", "HD", "HD"]),
        ("V3", ["SD", "HD", "HD", "HD", "UHD", "UHD"]),
        ("V4", ["SD", "HD", "HD", "HD", "UHD1", "UHD2"]),
        ("V5", ["SD", "HD1", "HD1", "HD2", "UHD1", "UHD2"]),
        ("V6", ["SD", "HD1", "HD1", "HD2", "UHD", "UHD"]),
        ("V7", ["SD+HD1", "SD+HD1", "SD+HD1", "HD2", "UHD", "UHD"]),
        ("V8", ["SD+HD1", "SD+HD1", "SD+HD1", "HD2", "UHD1", "UHD2"]),
        ("SHARED", ["ALL"] * 6),
        ("UNENCRYPTED", [""] * 6),
    ],
)
def test_presets_of_pictures(preset: Any, types: list[str]) -> None:
    """PR-104"""
    contract = Contract(preset, "SHARED" if preset == "SHARED" else "A1")
    sizes = ((1024, 576), (1024, 577), (1280, 720), (1920, 1080), (3840, 2160), (4096, 2304))
    found = [
        contract.track_type(Rendition("v", "video", "avc1", 1, width=w, height=h)) for w, h in sizes
    ]
    assert found == types


@pytest.mark.parametrize(
    ("preset", "types"),
    [
        ("A1", ["AUDIO"] * 3),
        ("A2", ["STEREO_AUDIO", "MULTICHANNEL_AUDIO", "MULTICHANNEL_AUDIO"]),
        ("A3", ["STEREO_AUDIO", "MULTICHANNEL_AUDIO_3_6", "MULTICHANNEL_AUDIO_7"]),
        ("UNENCRYPTED", [""] * 3),
    ],
)
def test_presets_of_sound(preset: Any, types: list[str]) -> None:
    """PR-104"""
    contract = Contract("V1", preset)
    found = [Rendition("a", "audio", "mp4a", 1, channels=n) for n in (2, 6, 8)]
    assert [contract.track_type(r) for r in found] == types


def test_presets_that_do_not_go_together() -> None:
    """PR-104: `+` has as many filters as names, types are unique, the odd pairs are refused."""
    for video in VIDEO:
        for audio in AUDIO:
            rules = Contract(video, audio).rules  # type: ignore[arg-type]
            assert len({rule.track_type for rule in rules}) == len(rules)
            assert all(len(r.filters) == r.track_type.count("+") + 1 for r in rules)
    for pair in (("SHARED", "A1"), ("V1", "SHARED"), ("UNENCRYPTED", "UNENCRYPTED")):
        with pytest.raises(ProtectionError) as refused:
            Contract(*pair)  # type: ignore[arg-type]
        assert refused.value.code == "bad_scheme"
