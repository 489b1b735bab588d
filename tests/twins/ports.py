"""Ports of servers that must be told theirs.

They lie below those that the system gives to whoever binds port 0 or connects (on Linux 32768 and
up), and all test processes of a user take turns: nobody takes the port of a server that is yet to
start, or that is down and will be back.
"""

import errno
import fcntl
import os
import socket
import tempfile
from contextlib import ExitStack
from pathlib import Path

FIRST, COUNT = 11_000, 10_000
NEAR_FIRST, NEAR_COUNT = 31_000, 1_600  # above the far twins: ports whose twins lie close by
TURN = Path(tempfile.gettempdir()) / f"headwater-ports-{os.getuid()}"


def free_ports(count: int, *, twin_at: int = 0) -> list[int]:
    """Ports nobody listens on; with `twin_at`, port + that offset is free as well, and given to
    nobody else. Raises RuntimeError when all are taken.
    """
    ports: list[int] = []
    for _ in range(COUNT):
        port = _near(twin_at) if 0 < twin_at < COUNT else FIRST + _turn(TURN) % COUNT
        if _free({port, port + twin_at}):
            ports.append(port)
        if len(ports) == count:
            return ports
    raise RuntimeError(f"{count} ports are not to be had")


def free_port(*, twin_at: int = 0) -> int:
    return free_ports(1, twin_at=twin_at)[0]


def _near(twin_at: int) -> int:
    """As many ports as the twins are away, then these twins, and so on."""
    assert NEAR_COUNT % (2 * twin_at) == 0, "or twins of the last would lie outside"
    block, at = divmod(_turn(TURN.with_suffix(".near")), twin_at)
    return NEAR_FIRST + 2 * twin_at * block % NEAR_COUNT + at


def _free(ports: set[int]) -> bool:
    """Whether all can be bound now. Raises OSError for what waiting for others does not mend."""
    with ExitStack() as held:
        for port in ports:
            try:
                held.enter_context(socket.socket()).bind(("127.0.0.1", port))
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
                return False
    return True


def _turn(path: Path) -> int:
    """Numbers in their order, each to one caller on this machine."""
    with path.open("a+b") as turns:
        fcntl.flock(turns, fcntl.LOCK_EX)
        turns.seek(0)
        turn = int(turns.read() or 0)
        turns.truncate(0)
        turns.write(b"%d" % (turn + 1))
    return turn
