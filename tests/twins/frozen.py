"""A PostgreSQL that stands still, as one behind a broken network does."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def frozen(backend: int) -> Iterator[None]:
    """The whole server of which this is one process; its first stops first and makes no more."""
    _, _, parent = Path(f"/proc/{backend}/status").read_text().partition("PPid:")
    stopped = [int(parent.split()[0])]
    os.kill(stopped[0], signal.SIGSTOP)
    try:
        children = Path(f"/proc/{stopped[0]}/task/{stopped[0]}/children").read_text()
        for child in map(int, children.split()):
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGSTOP)
                stopped.append(child)
        yield
    finally:
        for process in stopped:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGCONT)
