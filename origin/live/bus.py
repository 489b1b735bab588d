"""The local bus: "something changed in these channels", from the process that writes to the others.

Rules
1. Every process binds one Unix datagram socket in a folder that all share. A datagram carries
   channel names, never media: who hears it reads the files.
2. A full queue loses nothing: its names wait with the sender and go out together a moment later.
   A process that missed a datagram all the same finds the change by its own slow look at the files.
3. A newcomer greets the others, so that they tell it from then on. Sockets that nobody reads any
   more are removed by the first who finds out.
"""

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable, Iterable
from pathlib import Path

SUFFIX = ".bus"
DATAGRAM_BYTES = 16384
AGAIN_S = 0.002  # a full queue is tried again after this
QUEUED_BYTES = 1 << 20
_CHANGED, _HELLO = b"c", b"h"


class Bus:
    """One process on the bus; `heard` gets the names of channels that others changed."""

    def __init__(self, folder: Path, name: str, heard: Callable[[Iterable[str]], None]) -> None:
        self._folder = folder
        self._name = name + SUFFIX
        self._heard = heard
        self._socket: socket.socket | None = None
        self._directory = -1
        self._pending: dict[str, dict[str, None]] = {}
        self._flushing: asyncio.Handle | None = None

    def start(self) -> None:
        """Bind, listen and greet; needs the running loop."""
        self._directory = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, QUEUED_BYTES)
        self._socket.bind(self._at(self._name))
        asyncio.get_running_loop().add_reader(self._socket.fileno(), self._read)
        for path in self._folder.glob("*" + SUFFIX):
            if path.name != self._name:
                self._pending[path.name] = {}
                self._send(path.name, _HELLO + self._name.encode())

    def tell(self, channel: str) -> None:
        """Let the others know soon: what is told within one turn of the loop goes out together."""
        for names in self._pending.values():
            names[channel] = None
        if self._pending and self._flushing is None:
            self._flushing = asyncio.get_running_loop().call_soon(self._flush)

    def close(self) -> None:
        if self._flushing is not None:
            self._flushing.cancel()
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket.fileno())
            self._socket.close()
            (self._folder / self._name).unlink(missing_ok=True)
            os.close(self._directory)
            self._socket = None

    def _flush(self) -> None:
        self._flushing = None
        waiting = False
        for peer, names in list(self._pending.items()):
            while names:
                batch = list(names)[: DATAGRAM_BYTES // 65]
                if not self._send(peer, _CHANGED + "\n".join(batch).encode()):
                    waiting = True
                    break
                for name in batch:
                    del names[name]
        if waiting:
            self._flushing = asyncio.get_running_loop().call_later(AGAIN_S, self._flush)

    def _send(self, peer: str, datagram: bytes) -> bool:
        """False when the peer's queue is full; a peer that is gone is forgotten."""
        assert self._socket is not None
        try:
            self._socket.sendto(datagram, self._at(peer))
        except (BlockingIOError, InterruptedError):
            return False
        except (ConnectionRefusedError, FileNotFoundError):
            self._pending.pop(peer, {}).clear()
            (self._folder / peer).unlink(missing_ok=True)
        except OSError:
            return False  # no buffers
        return True

    def _read(self) -> None:
        assert self._socket is not None
        changed: dict[str, None] = {}
        with contextlib.suppress(BlockingIOError, InterruptedError):
            while True:
                datagram = self._socket.recv(DATAGRAM_BYTES)
                text = datagram[1:].decode(errors="replace")
                if datagram[:1] == _HELLO:
                    self._greeted(text)
                elif text:
                    changed.update(dict.fromkeys(text.split("\n")))
        if changed:
            self._heard(changed)

    def _greeted(self, peer: str) -> None:
        if peer.endswith(SUFFIX) and "/" not in peer and peer != self._name:
            self._pending.setdefault(peer, {})

    def _at(self, name: str) -> str:
        """A socket's path, short enough for sun_path (108 bytes) whatever the folder."""
        return f"/proc/self/fd/{self._directory}/{name}"
