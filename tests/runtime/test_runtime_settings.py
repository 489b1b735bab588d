"""Settings: file, environment, provenance, and errors that say what to write instead."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import Field, SecretStr

from runtime.sections import SECTIONS
from runtime.settings import Section, SettingsError, load


class Limits(Section):
    body_bytes: int = 10
    names: list[str] = Field(default_factory=list)


class Channel(Section):
    window_s: int = 60


class Origin(Section):
    host: str = "127.0.0.1"
    port: int = Field(8001, ge=0, le=65535)
    debug: bool = False
    limits: Limits = Field(default_factory=Limits)
    channels: dict[str, Channel] = Field(default_factory=dict)
    note: str | None = None


class Token(Section):
    key: SecretStr = SecretStr("")
    upstream: str = "redis://:hunter2@127.0.0.1/0"


ALL = {"origin": Origin, "token": Token}


def read(tmp_path: Path, toml: str = "", **environ: str) -> Any:
    file = tmp_path / "headwater.toml"
    file.write_text(toml)
    return load(ALL, file, {f"HEADWATER_{k}": v for k, v in environ.items()})


def test_environment_wins_over_file_wins_over_default(tmp_path: Path) -> None:
    toml = '[origin]\nport = 9000\nhost = "::1"\n[origin.limits]\nbody_bytes = 5\n'
    loaded = read(tmp_path, toml, ORIGIN__PORT="9100", ORIGIN__LIMITS__NAMES='["a","b"]')
    origin = loaded.values["origin"]
    assert (origin.port, origin.host, origin.debug) == (9100, "::1", False)
    assert (origin.limits.body_bytes, origin.limits.names) == (5, ["a", "b"])
    file = tmp_path / "headwater.toml"
    assert loaded.where["origin.port"] == "env HEADWATER_ORIGIN__PORT"
    assert loaded.where["origin.host"] == f"file {file}"
    assert loaded.where["origin.limits.body_bytes"] == f"file {file}"
    assert loaded.where["origin.limits.names"] == "env HEADWATER_ORIGIN__LIMITS__NAMES"
    assert loaded.where["origin.debug"] == "default"


def test_tables_of_models(tmp_path: Path) -> None:
    toml = "[origin.channels.demo]\nwindow_s = 7\n[origin.channels.other]\n"
    loaded = read(tmp_path, toml, ORIGIN__CHANNELS__NEWS__WINDOW_S="30")
    windows = {name: c.window_s for name, c in loaded.values["origin"].channels.items()}
    assert windows == {"demo": 7, "other": 60, "news": 30}
    assert loaded.where["origin.channels.news.window_s"].startswith("env ")
    replaced = read(tmp_path, toml, ORIGIN__CHANNELS='{"demo": {"window_s": 1}}')
    assert list(replaced.values["origin"].channels) == ["demo"]
    assert replaced.where["origin.channels.demo.window_s"] == "env HEADWATER_ORIGIN__CHANNELS"


@pytest.mark.parametrize(
    ("toml", "environ", "expected"),
    [
        ("[orign]\nport = 1", {}, ("'orign'", "file", "'origin'")),
        ("origin = 3", {}, ("'origin' must be a table", "file")),
        ("[origin]\nprot = 1", {}, ("'origin.prot'", "file", "'port'")),
        ("[origin.limits]\nbody_byte = 1", {}, ("'origin.limits.body_byte'", "'body_bytes'")),
        ("", {"ORIGN__PORT": "1"}, ("HEADWATER_ORIGN__PORT", "'origin'")),
        ("", {"ORIGIN__PROT": "1"}, ("HEADWATER_ORIGIN__PROT", "'port'")),
        ("", {"ORIGIN__LIMITS__BODY": "1"}, ("HEADWATER_ORIGIN__LIMITS__BODY", "'body_bytes'")),
        ("", {"ORIGIN_PORT": "1"}, ("HEADWATER_ORIGIN_PORT", "HEADWATER_ORIGIN__PORT")),
        ("", {"ORIGIN____PORT": "1"}, ("HEADWATER_ORIGIN____PORT",)),
        ("", {"ORIGIN__PORT": "many"}, ("origin.port", "integer", "env HEADWATER_ORIGIN__PORT")),
        ("[origin]\nport = 70000", {}, ("origin.port", "65535", "file")),
        ("", {"ORIGIN__LIMITS__NAMES": "a,b"}, ("HEADWATER_ORIGIN__LIMITS__NAMES", "JSON")),
        ("[origin\n", {}, ("not TOML", "line 1")),
        ("[origin.channels.demo]\nwindow = 1", {}, ("origin.channels.demo.window", "'window_s'")),
    ],
)
def test_errors_name_the_place_and_the_cure(
    tmp_path: Path, toml: str, environ: dict[str, str], expected: tuple[str, ...]
) -> None:
    with pytest.raises(SettingsError) as caught:
        read(tmp_path, toml, **environ)
    message = str(caught.value)
    assert "\n" not in message
    for part in expected:
        assert part in message


def test_no_error_repeats_a_value(tmp_path: Path) -> None:
    for environ in ({"TOKEN__KEY__X": "hunter2"}, {"ORIGIN__PORT": "hunter2"}):
        with pytest.raises(SettingsError) as caught:
            read(tmp_path, **environ)
        assert "hunter2" not in str(caught.value)


def test_masked_hides_every_secret(tmp_path: Path) -> None:
    loaded = read(tmp_path, TOKEN__KEY="hunter2")
    assert loaded.values["token"].key.get_secret_value() == "hunter2"
    assert "hunter2" not in repr(loaded.masked())
    assert loaded.masked()["token"]["upstream"] == "redis://:[redacted]@127.0.0.1/0"
    assert loaded.masked()["origin"]["port"] == 8001


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot read"):
        load(ALL, tmp_path / "none.toml", {})


def test_the_test_runs_own_variable_is_no_setting() -> None:
    assert load(ALL, None, {"HEADWATER_TWINS": "required", "PATH": "/bin"}).values["origin"]


@pytest.mark.parametrize(
    "url", ["pass-word", "mysql://u:pass-word@h/x", "postgresql://u:pass-word@h:port/x", "sqlite:"]
)
def test_a_database_that_is_none_is_refused_by_name(url: str) -> None:
    with pytest.raises(SettingsError, match=r"sql\.url") as refused:
        load(SECTIONS, None, {"HEADWATER_SQL__URL": url})
    assert "pass-word" not in str(refused.value) and "\n" not in str(refused.value)


def test_runtimes_own_sections_have_defaults() -> None:
    loaded = load(SECTIONS, None, {})
    assert set(loaded.values) == {"data", "log", "telemetry", "store", "sql", "objects"}
    assert set(loaded.where.values()) == {"default"}
