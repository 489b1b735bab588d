"""`headwater protect`, `package --protect` and `keys` as a user types them (PR-90, PR-91)."""

import base64
import json
import os
import re
import stat
import subprocess
import uuid
from pathlib import Path
from typing import Any

import pytest
from origin_rigs.protection_rig import FFMPEG, VECTORS
from typer.testing import CliRunner

import origin.settings
from headwater.cli import app
from origin.protection import cpix
from origin.protection.keyfile import KeyFile, masters
from origin.protection.title_source import protect_from
from origin.protection.titles import Guards
from origin.settings import Protection
from origin.vod import Library, register

PLAIN = VECTORS / "cpix" / "clear_3keys_cenc.xml"
SETTINGS = Protection.model_validate({"systems": ["clearkey", "widevine"]})
MADE_FOR = {
    "v90": "98ee5596-cd3e-a20d-163a-e382420c6eff",
    "a": "7ae8e96f-309e-42c3-a510-24023d923373",
}


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    sources = [VECTORS / "src" / name for name in ("avc_bf2.mp4", "aac.mp4")]
    inputs = [arg for source in sources for arg in ("-i", str(source))]
    done = [FFMPEG, "-v", "error", *inputs, "-c", "copy", "-map", "0:v", "-map", "1:a", str(path)]
    subprocess.run(done, check=True, timeout=60)
    return path


def run(*words: str | Path) -> tuple[int, str]:
    result = CliRunner().invoke(app, [str(word) for word in words])
    return result.exit_code, result.output + (result.stderr or "")


def cbcs_document(folder: Path) -> Path:
    path = folder / "film.cpix.xml"
    text = PLAIN.read_bytes().replace(b'Scheme="cenc"', b'Scheme="cbcs"')
    path.write_bytes(re.sub(rb"<HLSSignalingData.*?</HLSSignalingData>", b"", text, flags=re.S))
    return path


def test_a_film_takes_the_keys_of_a_document(
    tmp_path: Path, film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PR-95: each track the key of its rule, with the document's pssh and no key printed."""
    monkeypatch.chdir(tmp_path)
    document, data = cbcs_document(tmp_path), tmp_path / "data"
    base = ("package", film, "--title", "film", "--no-thumbnails", "--data", data)
    code, said = run(*base, "--protect", f"cpix:{document}")
    assert code == 0, said
    kids = set(re.findall(r"cbcs \S+ ([0-9a-f-]{36})", said))
    assert kids == set(MADE_FOR.values())
    library = Library(data, guards=Guards(data, SETTINGS))
    mpd = library.answer("film", "manifest.mpd", "").body.decode()  # type: ignore[union-attr]
    assert set(re.findall(r'default_KID="([^"]+)"', mpd)) == kids
    read = cpix.read(document.read_bytes(), "cbcs")
    for kid in kids:
        key = read.keys[uuid.UUID(kid)].secret.reveal()
        assert base64.b64encode(key).decode() not in said and key.hex() not in said
        for offered in read.systems.get(uuid.UUID(kid), ()):
            if offered.system == "widevine":
                assert base64.b64encode(offered.pssh).decode() in mpd
    mixed = tmp_path / "mixed.xml"  # lines for AES-CTR in a document for cbcs
    mixed.write_bytes(PLAIN.read_bytes().replace(b'Scheme="cenc"', b'Scheme="cbcs"'))
    code, said = run("protect", "film", "--source", f"cpix:{mixed}", "--data", data)
    assert code == 1 and "PR-65" in said
    again = run("protect", "film", "--source", "cpix:missing.xml", "--data", data)
    assert again[0] == 1 and "missing.xml" in again[1]


def test_a_film_takes_the_keys_of_a_server(
    tmp_path: Path, film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PR-104: a contract that leaves the sound clear."""
    from origin.protection import speke_source

    register(tmp_path, [film], "film")

    async def asked(self: Any, request: Any) -> Any:
        """The request's own document, with a value for each key."""
        body = request.body().decode()
        value = "<pskc:Secret><pskc:PlainValue>{}</pskc:PlainValue></pskc:Secret>"
        data = f"<cpix:Data>{value.format(base64.b64encode(os.urandom(16)).decode())}</cpix:Data>"
        filled = re.sub(r"(<cpix:ContentKey [^>]*)/>", rf"\1>{data}</cpix:ContentKey>", body)
        return speke_source.speke.read(request, filled.encode(), {})

    monkeypatch.setattr(speke_source.SpekeSource, "_asked", asked)
    settings = Protection.model_validate(
        {"systems": ["clearkey"], "speke": {"url": "http://127.0.0.1:1", "audio": "UNENCRYPTED"}}
    )
    [key] = protect_from(tmp_path, "film", "cbcs", settings, "speke")
    assert (key.role, key.source) == ("sd", "speke")
    library = Library(tmp_path, guards=Guards(tmp_path, settings))
    mpd = library.answer("film", "manifest.mpd", "").body.decode()  # type: ignore[union-attr]
    assert set(re.findall(r'default_KID="([^"]+)"', mpd)) == {key.uuid}
    names = re.findall(r'<Representation id="([^"]+)"', mpd)
    sound = next(name for name in names if name.startswith("a"))
    header = b"".join(_body(library.answer("film", f"{sound}/init.mp4", "")))
    assert b"enca" not in header and b"mp4a" in header
    picture = next(name for name in names if name.startswith("v"))
    assert b"encv" in b"".join(_body(library.answer("film", f"{picture}/init.mp4", "")))


def _body(entity: Any) -> list[bytes]:
    return [entity.body] if isinstance(entity.body, bytes) else list(entity.body)


def test_the_master_key_is_changed_while_services_run(tmp_path: Path) -> None:
    """PR-90: who reads goes on reading; the old master key opens nothing any more."""
    settings = origin.settings.Settings().protection
    running = KeyFile.open(settings, tmp_path, create=True)
    with running.change() as vault:
        keys = vault.ensure("film", "cbcs", ["audio", "sd"], os.urandom)
    old = masters(settings, tmp_path)
    code, said = run("keys", "rotate", "--data", tmp_path)
    assert (code, said) == (0, "2 keys sealed with a new master key\n")
    assert [running.by_kid(key.kid) for key in keys] == keys
    with running.change() as vault:
        vault.ensure("other", "cbcs", ["sd"], os.urandom)
    path = tmp_path / "origin" / "master.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600 and len(path.read_text().split()) == 1
    assert masters(settings, tmp_path) != old
    listed = run("keys", "list", "film", "--data", tmp_path)[1]
    assert listed.count("film: cbcs") == 2 and keys[0].uuid in listed
    for key in keys:
        assert key.secret.reveal().hex() not in listed
    file = tmp_path / "origin" / "keys.json"
    assert not {each["master"] for each in json.loads(file.read_text())["entries"]} & _ids(old)


def _ids(found: Any) -> set[str]:
    from origin.protection.vault import _id

    return {_id(key) for key in found._keys}


def test_a_master_key_from_settings_is_the_operator_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PR-90: put a new one before the old, reseal, then drop the old."""
    old, new = "11" * 32, "22" * 32
    monkeypatch.setenv("HEADWATER_ORIGIN__PROTECTION__MASTER_KEY", old)
    monkeypatch.chdir(tmp_path)
    settings = Protection.model_validate({"master_key": old})
    with KeyFile.open(settings, tmp_path).change() as vault:
        [key] = vault.ensure("film", "cbcs", ["sd"], os.urandom)
    assert run("keys", "rotate", "--data", tmp_path)[0] == 1
    monkeypatch.setenv("HEADWATER_ORIGIN__PROTECTION__MASTER_KEY", f"{new} {old}")
    assert run("keys", "reseal", "--data", tmp_path) == (0, "1 keys sealed anew\n")
    fresh = KeyFile.open(Protection.model_validate({"master_key": new}), tmp_path)
    assert fresh.by_kid(key.kid) == key


def test_keys_are_exported_as_a_document_that_reads_back(tmp_path: Path) -> None:
    """PR-91: the file is private and never overwritten."""
    settings = origin.settings.Settings().protection
    with KeyFile.open(settings, tmp_path, create=True).change() as vault:
        keys = vault.ensure("film", "cbcs", ["audio", "sd", "hd"], os.urandom)
    out = tmp_path / "film.xml"
    command = ("keys", "export", "film", "--out", out, "--data", tmp_path)
    assert run(*command) == (0, "film: 3 keys in film.xml\n")
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    read = cpix.read(out.read_bytes(), "cbcs")
    assert {k.kid: (k.secret, k.constant_iv) for k in read.keys.values()} == {
        k.kid: (k.secret, k.constant_iv) for k in keys
    }
    assert run(*command)[0] == 1
    assert run("keys", "export", "nobody", "--out", tmp_path / "x", "--data", tmp_path)[0] == 1
