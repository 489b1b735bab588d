"""Timescales with which cenc could not tell samples apart are refused with the header (PR-16)."""

from dataclasses import replace
from pathlib import Path

import pytest
from origin_rigs.sealed_rig import SealedRig, films

from native.bmff import parse_init
from native.bmff.write import header
from origin.errors import BadMedia
from origin.protection.periods import countable

MOST = (1 << 17) - 1  # 2^48 ticks since 1970 last until 2038


def headed(timescale: int) -> bytes:
    return header(replace(parse_init(films()["v"].header).tracks[0], timescale=timescale))


@pytest.mark.parametrize(
    ("scheme", "rotation_s", "timescale", "taken"),
    [
        ("cenc", 0, 90_000, True),
        ("cenc", 0, MOST, True),
        ("cenc", 0, MOST + 1, False),
        ("cenc", 0, 10_000_000, False),
        ("cenc", 3600, 10_000_000, True),
        ("cenc", 31_536_000, 10_000_000, False),
        ("cbcs", 0, 10_000_000, True),
    ],
)
def test_a_header_is_refused_before_its_media(
    tmp_path: Path, scheme: str, rotation_s: int, timescale: int, taken: bool
) -> None:
    rig = SealedRig(tmp_path, scheme=scheme, rotation_s=rotation_s)
    film = films()["v"]
    rig.synths = {"v": type("Bare", (), {"header": headed(timescale), "pieces": film.pieces})()}
    if taken:
        rig.begin()
        assert rig.channel.tracks["v"].timescale == timescale
    else:
        with pytest.raises(BadMedia, match="cenc cannot count") as refused:
            rig.begin()
        assert refused.value.code == "timescale"
        rig.restart()
        assert not rig.channels.presentations, "nothing of it is on the disk"


def test_what_fits_for_good() -> None:
    assert countable(48_000, 0) and countable(90_000, 31_536_000)
    assert not countable(MOST + 1, 0)
