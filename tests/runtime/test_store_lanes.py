"""Where a cluster's lanes lead, by what its servers are called (Redis Cluster specification,
"Redirection and resharding"; `cluster-preferred-endpoint-type`)."""

import asyncio
from typing import Any, ClassVar

import pytest
from redis.exceptions import ResponseError, SlotNotCoveredError

from runtime.store import StoreError, cluster
from runtime.store.cluster import Lanes


class Node:
    def __init__(self, name: str) -> None:
        self.name = name


class Servers:
    """The driver's client, which knows one server."""

    def __init__(self, name: str) -> None:
        self.nodes_manager, self._node = self, Node(name)
        self.asked = asyncio.Event()
        self.moved: list[tuple[str, int]] = []

    def get_node_from_key(self, _key: str) -> Node:
        if not self._node.name:
            raise SlotNotCoveredError("nobody")
        return self._node

    async def move_slot(self, told: Any) -> None:
        self.moved.append((told.host, told.port))

    async def initialize(self) -> None:
        self.asked.set()
        raise SlotNotCoveredError("nobody yet")


class Lane:
    """Of the server at its URL, which says what it is told to."""

    says: ClassVar[dict[str, str]] = {}

    def __init__(self, url: str, _timeout_s: float) -> None:
        self._url = url

    async def ask(self, *_command: Any) -> str:
        if self._url in self.says:
            raise ResponseError(self.says[self._url])
        return self._url

    async def ask_all(self, commands: Any) -> list[str]:
        return [await self.ask(*command) for command in commands]

    async def close(self) -> None:
        """Nothing is open."""


@pytest.fixture(autouse=True)
def _lanes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "Lane", Lane)
    monkeypatch.setattr(Lane, "says", {})


@pytest.mark.parametrize(
    ("name", "authority"),
    [("a:6380", "a:6380"), ("2001:db8::1:6380", "[2001:db8::1]:6380"), ("::1:1", "[::1]:1")],
)
async def test_a_server_is_found_by_its_address(name: str, authority: str) -> None:
    lanes = Lanes("redis://u:p@first:1/0", 1.0, Servers(name))
    assert await lanes.ask("GET", "k") == f"redis://u:p@{authority}/0"


@pytest.mark.parametrize("word", ["MOVED", "ASK"])
@pytest.mark.parametrize(
    ("home", "told", "host", "authority"),
    [
        ("a:1", "b:2", "b", "b:2"),
        ("a:1", ":2", "a", "a:2"),
        ("2001:db8::1:1", ":2", "2001:db8::1", "[2001:db8::1]:2"),
        ("a:1", "2001:db8::2:2", "2001:db8::2", "[2001:db8::2]:2"),
    ],
)
async def test_another_server_is_found_by_what_one_calls_it(
    word: str, home: str, told: str, host: str, authority: str
) -> None:
    servers = Servers(home)
    lanes = Lanes("redis://first:1/0", 1.0, servers)
    at_home = await lanes.ask("GET", "k")
    Lane.says[at_home] = f"{word} 7 {told}"
    assert await lanes.ask("GET", "k") == f"redis://{authority}/0"
    assert servers.moved == ([(host, 2)] if word == "MOVED" else [])
    Lane.says[f"redis://{authority}/0"] = "MOVED 7 c:3"
    with pytest.raises(StoreError, match="unavailable: the key has moved on"):
        await lanes.ask("GET", "k")


async def test_a_key_that_no_server_has_is_looked_for() -> None:
    servers = Servers("")
    lanes = Lanes("redis://first:1/0", 1.0, servers)
    with pytest.raises(StoreError, match="unavailable: no server has the key"):
        await lanes.ask("GET", "k")
    await asyncio.wait_for(servers.asked.wait(), 60)
    assert lanes._looking is None
    await lanes.close()
