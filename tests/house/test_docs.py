"""README tells the truth: its targets, folders and ports exist."""

import re
from pathlib import Path

import pytest

from headwater.settings import effective

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()


@pytest.mark.parametrize("target", sorted(set(re.findall(r"make ([a-z-]+)", README))))
def test_make_targets_exist(target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.M)


@pytest.mark.parametrize("folder", sorted(set(re.findall(r"`([a-z_/]+/)`", README))))
def test_folders_exist(folder: str) -> None:
    assert (ROOT / folder).is_dir()


def test_ports_are_the_defaults(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    values = effective(None, None).values
    defaults = [
        values["control"].port, values["origin"].delivery_port, values["origin"].ingest_port,
        values["proxy"].port, values["router"].port, values["origin"].admin_port,
        values["proxy"].admin_port,
    ]  # type: ignore[attr-defined]  # fmt: skip
    assert [str(port) for port in defaults] == [
        "8000",
        "8001",
        "8002",
        "8003",
        "8004",
        "8101",
        "8103",
    ]
    for port in defaults:
        assert str(port) in README


def test_readme_stays_one_page() -> None:
    assert README.count("\n") <= 75
