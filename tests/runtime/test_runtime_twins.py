"""CMP-5: a twin that cannot be started fails where it is required, and skips elsewhere."""

import sys
from pathlib import Path

import pytest
from twins.ports import free_ports
from twins.process import needs, running


def test_required_or_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADWATER_TWINS", "required")
    with pytest.raises(pytest.fail.Exception, match="no-such-server"):
        needs("no-such-server")
    monkeypatch.delenv("HEADWATER_TWINS")
    with pytest.raises(pytest.skip.Exception, match="no-such-server"):
        needs("no-such-server")


def test_a_server_that_ends_at_once_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEADWATER_TWINS", "required")
    command = [sys.executable, "-c", "raise SystemExit('port is taken')"]
    with (
        pytest.raises(pytest.fail.Exception, match="port is taken"),
        running(command, lambda: False, tmp_path / "log"),
    ):
        pass


def test_free_ports_differ_and_have_their_twins() -> None:
    ports = free_ports(4, twins_at=10_000)
    assert len(set(ports)) == 4
    assert all(port + 10_000 <= 65_535 for port in ports)
