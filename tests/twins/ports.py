"""Ports of servers that must be told theirs.

They lie below those that the system gives to whoever binds port 0 or connects (on Linux 32768 and
up), and all test processes of a user take turns: nobody takes the port of a server that is yet to
start, or that is down and will be back.
"""

import fcntl
import os
import socket
import tempfile
from contextlib import ExitStack, suppress
from pathlib import Path

FIRST, COUNT = 11_000, 10_000
TURN = Path(tempfile.gettempdir()) / f"headwater-ports-{os.getuid()}"


def free_ports(count: int, *, twins_at: int = 0) -> list[int]:
    """Ports nobody listens on; with `twins_at`, port + that offset is free as well."""
    ports: list[int] = []
    while len(ports) < count:
        port = FIRST + _turn() % COUNT
        wanted = {port, port + twins_at}
        with suppress(OSError), ExitStack() as held:
            for each in wanted:
                held.enter_context(socket.socket()).bind(("127.0.0.1", each))
            ports.append(port)
    return ports


def free_port(*, twin_at: int = 0) -> int:
    return free_ports(1, twins_at=twin_at)[0]


def _turn() -> int:
    """Numbers in their order, each to one caller on this machine."""
    with TURN.open("a+b") as turns:
        fcntl.flock(turns, fcntl.LOCK_EX)
        turns.seek(0)
        turn = int(turns.read() or 0)
        turns.truncate(0)
        turns.write(b"%d" % (turn + 1))
    return turn
