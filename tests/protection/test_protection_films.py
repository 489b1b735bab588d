"""Films of every codec, protected as they are served, opened by others: ffmpeg and Shaka Packager
give back the clear samples and frames (PR-176).
"""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import pytest
from origin_rigs.media_rig import digest, frames, packets, pieces
from origin_rigs.outputs_rig import Title
from origin_rigs.packager_rig import unlock
from origin_rigs.recipes import recipe

from origin.protection.keys import ContentKey
from origin.protection.titles import Guards, protect
from origin.settings import Protection
from origin.vod import Library, register

pytestmark = [pytest.mark.twin, pytest.mark.timeout(120)]

SETTINGS = Protection.model_validate(
    {"urls": {"clearkey": "http://127.0.0.1:1/l", "identity": "http://127.0.0.1:1/k"}}
)
# AVC with AAC, HEVC, AV1 with Opus, AC-3, E-AC-3, FLAC, and odd times
FILMS = (
    "base", "closed_265", "open_265", "hdr10", "av1_opus", "surround", "opus_51", "interlaced",
    "tiny_gop", "vfr_drop", "single_sample", "frag_every", "late_audio",
)  # fmt: skip


class Film:
    """A recipe in the clear and under both schemes."""

    def __init__(self, name: str, folder: Path) -> None:
        self.report = register(folder, [recipe(name)], "film", segment_s=Fraction(2))
        clear = Library(folder)
        self.clear = Title(clear).segmented()
        self.keys = {
            (key.scheme, key.kid): key
            for key in protect(folder, "film", ["cbcs", "cenc"], SETTINGS)
        }
        self.library = Library(folder, guards=Guards(folder, SETTINGS))
        clear.close()

    def key(self, scheme: str, init: bytes) -> ContentKey:
        at = init.index(b"tenc") + 12
        return self.keys[scheme, init[at : at + 16]]


@pytest.fixture(scope="module", params=FILMS)
def film(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Film]:
    found = Film(request.param, tmp_path_factory.mktemp(request.param))
    yield found
    found.library.close()


@pytest.mark.parametrize("scheme", ["cbcs", "cenc"])
def test_others_open_what_we_close(film: Film, scheme: str, tmp_path: Path) -> None:
    sealed = Title(film.library, scheme=scheme).segmented()
    for track in film.report.renditions:
        ours, clear = sealed[track.name], film.clear[track.name]
        samples = [d for p in pieces(clear.init, b"".join(clear.media)) for *_, d in p.samples]
        closed = [d for p in pieces(ours.init, b"".join(ours.media)) for *_, d in p.samples]
        assert [len(each) for each in closed] == [len(each) for each in samples]  # PR-10
        assert all(a != b for a, b in zip(closed, samples, strict=True) if len(a) > 300)
        key = film.key(scheme, ours.init)
        path, plain = tmp_path / f"{track.name}.mp4", tmp_path / "plain.mp4"
        path.write_bytes(ours.file)
        plain.write_bytes(clear.file)
        hexed = key.secret.reveal().hex()
        assert frames(path, "-decryption_key", hexed) == frames(plain)
        opened = unlock(path, track, key)
        (found,) = packets(opened).values()
        assert [sample.digest for sample in found] == [digest(each) for each in samples]
