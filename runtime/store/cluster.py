"""A lane to each server of a cluster that has keys: a command goes to the one that has its first.

Rules of the file
1. Which server has which hash slot is the driver's knowledge (Redis Cluster specification, "Keys
   distribution model"); all keys of a command are of one slot (CTL-22).
2. `MOVED` corrects that knowledge, `ASK` holds once; both say that the command was not carried out,
   so it is sent to the server named, once.
3. When a lane is lost the servers are asked anew who has what, at most every `LOOK_S`.
"""

import asyncio
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from redis.exceptions import MovedError, ResponseError

from runtime.abreast import ended
from runtime.store.clients import FAULTS
from runtime.store.interface import StoreError
from runtime.store.lane import Lane, Word, answered, heard
from runtime.store.replies import Unreadable

LOOK_S = 1.0
ELSEWHERE = ("MOVED", "ASK")
FIRST_KEY = {"EVAL": 3, "EVALSHA": 3}  # the place of it; elsewhere 1


class Lanes:
    """As `Lane`. `servers` is the driver's client of the cluster."""

    def __init__(self, url: str, timeout_s: float, servers: Any) -> None:
        self._url = urlsplit(url)
        self._timeout_s = timeout_s
        self._servers = servers
        self._lanes: dict[str, Lane] = {}
        self._looking: asyncio.Task[None] | None = None
        self._looked_s = float("-inf")
        self._closed = False

    async def ask(self, *command: Word) -> Any:
        """One command's answer."""
        key = command[FIRST_KEY.get(str(command[0]), 1)]
        home = self._home(key)
        try:
            return await self._at(home).ask(*command)
        except Unreadable:
            raise
        except StoreError:
            self._look()
            raise
        except ResponseError as error:
            word, *told = str(error).split()
            if word not in ELSEWHERE:
                raise
        slot, address = told[0], _named(told[1], home)
        if word == "ASK":
            return await self._sent(address, ("ASKING",), command)
        await self._servers.nodes_manager.move_slot(MovedError(f"{slot} {address}"))
        return await self._sent(address, command)

    async def _sent(self, address: str, *commands: Sequence[Word]) -> Any:
        """The last one's answer; StoreError where the key has moved on."""
        try:
            return (await self._at(address).ask_all(commands))[-1]
        except ResponseError as error:
            if str(error).split()[0] in ELSEWHERE:
                raise StoreError("unavailable", "the key has moved on") from None
            raise

    async def ask_all(self, commands: Sequence[Sequence[Word]]) -> list[Any]:
        """Several commands' answers; the first that is an error is raised."""
        return answered(await self.ask_each(commands))

    async def ask_each(self, commands: Sequence[Sequence[Word]]) -> list[Any]:
        """The same, an error reply being the answer of its own command."""
        asked = [self.ask(*command) for command in commands]
        return heard(await asyncio.gather(*asked, return_exceptions=True))

    async def close(self) -> None:
        """What waits is answered with an error, and so is what is asked from now on."""
        self._closed = True
        if self._looking is not None:
            await ended(self._looking)
        for lane in self._lanes.values():
            await lane.close()

    def _home(self, key: Word) -> str:
        try:
            return str(self._servers.get_node_from_key(key).name)
        except FAULTS:
            self._look()
            raise StoreError("unavailable", "no server has the key") from None

    def _at(self, address: str) -> Lane:
        lane = self._lanes.get(address)
        if lane is None:
            if self._closed:
                raise StoreError("unavailable", "closed")
            sign_in, at, _ = self._url.netloc.rpartition("@")
            host, _, port = address.rpartition(":")
            if ":" in host:  # IPv6: RFC 3986 section 3.2.2
                host = f"[{host}]"
            url = self._url._replace(netloc=f"{sign_in}{at}{host}:{port}").geturl()
            lane = self._lanes[address] = Lane(url, self._timeout_s)
        return lane

    def _look(self) -> None:
        now_s = asyncio.get_running_loop().time()
        if now_s - self._looked_s > LOOK_S and self._looking is None and not self._closed:
            self._looked_s = now_s
            self._looking = asyncio.create_task(self._learn())

    async def _learn(self) -> None:
        try:
            await self._servers.nodes_manager.initialize()
        except FAULTS:
            return
        finally:
            self._looking = None


def _named(address: str, home: str) -> str:
    """A server that knows only another's port means a host that is its own."""
    return home.rpartition(":")[0] + address if address.startswith(":") else address
