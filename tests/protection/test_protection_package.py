"""`headwater package --protect`: never a moment, and never a failure, in the clear (PR-43)."""

import re
from pathlib import Path
from typing import Any

import pytest
from origin_rigs.protection_rig import VECTORS
from typer.testing import CliRunner

from headwater import services
from headwater.cli import app
from native.http import Entity, Refusal
from origin.protection import speke_source
from origin.protection.errors import ProtectionError
from origin.protection.titles import Guards
from origin.settings import Protection
from origin.vod import Library, register

FILM = VECTORS / "src" / "avc_bf2.mp4"
OTHER = VECTORS / "src" / "avc_cavlc_4slices.mp4"
SETTINGS = Protection.model_validate({"systems": ["clearkey"]})


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def package(data: Path, *words: str | Path, film: Path = FILM) -> tuple[int, str]:
    argv = ["package", film, "--title", "film", "--no-thumbnails", "--data", data, *words]
    result = CliRunner().invoke(app, [str(word) for word in argv])
    return result.exit_code, result.output


def served(library: Library) -> str:
    """clear, the scheme, or the code of the refusal."""
    answer = library.answer("film", "v90/init.mp4", "")
    if isinstance(answer, Refusal):
        return answer.code
    assert isinstance(answer, Entity)
    body = answer.body if isinstance(answer.body, bytes) else b"".join(answer.body)
    return "sealed" if b"encv" in body else "clear"


def titles(data: Path) -> Library:
    return Library(data, guards=Guards(data, SETTINGS))


@pytest.mark.parametrize("source", ["cpix:missing.xml", "cpix:broken.xml", "speke"])
def test_a_film_whose_keys_fail_is_not_served(
    tmp_path: Path, source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("broken.xml").write_text("<CPIX/>")

    async def asked(self: Any, request: Any) -> Any:
        raise ProtectionError("unreachable", "no answer")

    monkeypatch.setattr(speke_source.SpekeSource, "_asked", asked)
    monkeypatch.setenv("HEADWATER_ORIGIN__PROTECTION__SPEKE__URL", "http://127.0.0.1:1")
    library = titles(tmp_path)
    code, said = package(tmp_path, "--protect", source)
    assert code == 1 and "not served before it has keys" in said
    assert served(library) == served(titles(tmp_path)) == "no_key"
    assert served(Library(tmp_path)) == "no_key"
    assert package(tmp_path)[0] == 0  # nor does it become public by another registration
    assert served(library) == "no_key"
    assert package(tmp_path, "--protect", "file")[0] == 0
    assert served(library) == "sealed"


def test_nothing_is_served_between_registration_and_protection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also with the clear form open in a library, and whatever ends the command."""
    register(tmp_path, [FILM], "film")
    library, done = titles(tmp_path), services.package
    assert served(library) == "clear"

    def cut_off(*args: Any, **options: Any) -> int:
        assert done(*args, **options) == 0
        assert served(library) == "no_key"
        raise BrokenPipeError

    monkeypatch.setattr(services, "package", cut_off)
    assert package(tmp_path, "--protect", "file")[0] != 0
    assert served(library) == "no_key"


def test_a_registration_that_fails_leaves_a_title_as_it_was(tmp_path: Path) -> None:
    missing = tmp_path / "missing.mp4"
    assert package(tmp_path, "--protect", "file", film=missing)[0] == 1
    assert not (tmp_path / "origin" / "vod" / "film").exists()
    register(tmp_path, [FILM], "film")
    assert package(tmp_path, "--protect", "file", film=missing)[0] == 1
    assert served(titles(tmp_path)) == "clear"


def test_a_protected_title_that_is_packaged_again_keeps_its_protection(tmp_path: Path) -> None:
    """The same schemes and kids, also for another file, with or without --protect."""
    assert package(tmp_path, "--protect", "file")[0] == 0
    protect = ["protect", "film", "--scheme", "cbcs", "--scheme", "cenc", "--data", str(tmp_path)]
    assert CliRunner().invoke(app, protect).exit_code == 0
    library = titles(tmp_path)
    first = kids(library)
    for film, words in ((FILM, ()), (OTHER, ()), (OTHER, ("--protect", "file"))):
        code, said = package(tmp_path, *words, film=film)
        assert code == 0, said
        assert kids(library) == first, film
        assert served(library) == "sealed"


def kids(library: Library) -> list[set[str]]:
    found = []
    for leaf in ("manifest.mpd", "cenc/manifest.mpd"):
        entity = library.answer("film", leaf, "")
        assert isinstance(entity, Entity), leaf
        found.append(set(re.findall(rb'default_KID="([^"]+)"', bytes(entity.body))))
    assert all(found)
    return found
