"""Services that `headwater up` starts on other ports find one another."""

import json
import os
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from headwater import neighbours, up
from headwater.settings import SECTIONS, Demo, effective


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    for name in [name for name in os.environ if name.startswith("HEADWATER_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "headwater.toml"


def test_nothing_is_said_while_all_is_where_it_was(bare: Path) -> None:
    assert neighbours.environment(effective(None, None)) == {}


def test_who_calls_a_moved_port_is_told(bare: Path) -> None:
    bare.write_text("[router]\nport = 9004\n[origin]\ningest_port = 9002\n")
    assert neighbours.environment(effective(None, None)) == {
        "HEADWATER_CONTROL__ROUTER_URL": "http://127.0.0.1:9004",
        "HEADWATER_CONTROL__RECORDINGS__INGEST_URL": "http://127.0.0.1:9002",
        "HEADWATER_PROXY__STEERING_URL": "http://localhost:9004/steer",
        "HEADWATER_ROUTER__PUBLIC_URL": "http://localhost:9004",
    }


def test_what_somebody_said_stays(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bare.write_text('[control]\nport = 9000\npublic_url = "https://tv.example"\n')
    monkeypatch.setenv("HEADWATER_ROUTER__CONSOLE_ORIGIN", "https://ops.example")
    assert neighbours.environment(effective(None, None)) == {}


def test_every_url_of_this_machine_is_known(bare: Path) -> None:
    """A new setting that leads to a port of ours must be listed, and leads where it says."""
    loaded = effective(None, None)
    ours = {neighbours._value(loaded, port) for port in neighbours.PORTS.values()}
    found = {}
    for section in SECTIONS:
        for path, value in _texts(loaded.values[section].model_dump(), section):
            if urlsplit(value).scheme == "http" and urlsplit(value).port in ours:
                found[path] = urlsplit(value).port
    assert found == {url: neighbours._value(loaded, port) for url, port in neighbours.PORTS.items()}


def test_players_reach_each_cdn_of_the_demo_by_a_name_of_its_own(bare: Path) -> None:
    """Shaka leaves one that fails by its host name, and with it all others of that name."""
    pathways = json.loads(up.demo_environment(Demo())["HEADWATER_ROUTER__PATHWAYS"])
    names = {urlsplit(each["base_url"]).hostname for each in pathways}
    assert len(names) == len(pathways) == len(Demo().edges) > 1


def _texts(value: object, path: str) -> list[tuple[str, str]]:
    if isinstance(value, dict):
        return [each for key, inner in value.items() for each in _texts(inner, f"{path}.{key}")]
    return [(path, value)] if isinstance(value, str) else []
