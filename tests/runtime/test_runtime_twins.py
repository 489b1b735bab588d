"""CMP-5: a twin that cannot be started fails where it is required, and skips elsewhere."""

import errno
import sys
from collections import defaultdict
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from unittest.mock import MagicMock, Mock

import pytest
from twins import ports
from twins.ports import free_port, free_ports
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
    found = free_ports(4, twin_at=10_000)
    assert len(set(found)) == 4
    assert all(port + 10_000 <= 65_535 for port in found)


@pytest.fixture
def quick_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted in memory: thousands of turns would be as many files locked and written."""
    turns: defaultdict[Path, Iterator[int]] = defaultdict(count)
    monkeypatch.setattr(ports, "_turn", lambda path: next(turns[path]))


@pytest.mark.usefixtures("quick_turns")
def test_a_twin_is_nobody_elses_port(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of all that are ever given out, near twins or far ones."""
    monkeypatch.setattr(ports, "_free", lambda wanted: True)
    alone = set(ports.free_ports(ports.COUNT))
    near = set(ports.free_ports(800, twin_at=100))
    far = set(ports.free_ports(ports.COUNT, twin_at=10_000))
    twins = {port + 100 for port in near}, {port + 10_000 for port in far}
    assert len(near) == len(twins[0]) == 800
    assert not (twins[0] | twins[1]) & (alone | near | far) and not twins[0] & twins[1]
    assert max(near | twins[0] | twins[1]) < 32_768


@pytest.mark.usefixtures("quick_turns")
def test_a_port_that_cannot_be_bound_at_all_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not a loop without end; neither are ports that are all taken."""
    error = OSError(errno.EACCES, "not here")

    def bind(*_: object) -> None:
        raise error

    monkeypatch.setattr(ports.socket, "socket", Mock(return_value=MagicMock()))
    ports.socket.socket.return_value.__enter__.return_value.bind = bind  # type: ignore[attr-defined]
    with pytest.raises(OSError, match="not here"):
        free_port()
    error = OSError(errno.EADDRINUSE, "taken")
    with pytest.raises(RuntimeError, match="1 ports"):
        free_port()
