"""The local bus: what is told arrives, whatever the queues do, and the dead are forgotten."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from origin.live.bus import Bus


class Hearing:
    """A process on the bus, and what it heard."""

    def __init__(self, folder: Path, name: str) -> None:
        self.heard: list[str] = []
        self.bus = Bus(folder, name, self.heard.extend)
        self.bus.start()


@pytest.fixture
async def join(tmp_path: Path) -> Iterator[Callable[[str], Hearing]]:
    joined: list[Hearing] = []

    def run(name: str) -> Hearing:
        joined.append(Hearing(tmp_path, name))
        return joined[-1]

    yield run
    for each in joined:
        each.bus.close()
    assert list(tmp_path.iterdir()) == []


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.001)


async def test_what_one_tells_all_others_hear_once_a_turn(join: Callable[[str], Hearing]) -> None:
    one, two, three = join("one"), join("two"), join("three")
    await asyncio.sleep(0)  # greetings
    await until(lambda: len(one.bus._pending) == 2)
    for _ in range(5):
        one.bus.tell("sport")
    one.bus.tell("news")
    await until(lambda: len(two.heard) >= 2 and len(three.heard) >= 2)
    assert two.heard == three.heard == ["sport", "news"]
    assert one.heard == []


async def test_a_newcomer_hears_and_is_heard(join: Callable[[str], Hearing]) -> None:
    one = join("one")
    late = join("late")
    await until(lambda: bool(one.bus._pending))
    one.bus.tell("a")
    late.bus.tell("b")
    await until(lambda: late.heard == ["a"] and one.heard == ["b"])


async def test_a_full_queue_delays_and_loses_nothing(join: Callable[[str], Hearing]) -> None:
    """More datagrams than a queue takes while its reader does not read."""
    one, slow = join("one"), join("slow")
    await until(lambda: bool(one.bus._pending))
    loop = asyncio.get_running_loop()
    assert slow.bus._socket is not None
    loop.remove_reader(slow.bus._socket.fileno())
    told = [f"channel-{number}" for number in range(3000)]
    for at, name in enumerate(told):
        one.bus.tell(name)
        if at % 3 == 0:
            await asyncio.sleep(0)
    assert one.bus._pending["slow.bus"]
    loop.add_reader(slow.bus._socket.fileno(), slow.bus._read)
    await until(lambda: len(slow.heard) >= len(told))
    assert slow.heard == told


async def test_a_dead_peer_is_forgotten(join: Callable[[str], Hearing], tmp_path: Path) -> None:
    one, dead = join("one"), join("dead")
    await until(lambda: bool(one.bus._pending))
    assert dead.bus._socket is not None
    asyncio.get_running_loop().remove_reader(dead.bus._socket.fileno())
    dead.bus._socket.close()
    assert (tmp_path / "dead.bus").exists()
    one.bus.tell("a")
    await until(lambda: not one.bus._pending)
    assert not (tmp_path / "dead.bus").exists()
    dead.bus._socket = None


async def test_a_folder_with_a_long_path_will_do(tmp_path: Path) -> None:
    """A Unix socket's name has 107 bytes at most."""
    folder = tmp_path.joinpath(*["a-rather-long-name"] * 8)
    folder.mkdir(parents=True)
    one, two = Hearing(folder, "one"), Hearing(folder, "two")
    await until(lambda: bool(one.bus._pending))
    one.bus.tell("far")
    await until(lambda: two.heard == ["far"])
    one.bus.close()
    two.bus.close()
