"""Two origins with folders of their own and one Redis: what one takes in, both serve alike."""

import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from twins.crew import Answered, Crew, exchange, until
from twins.ports import free_port
from twins.process import answers, folder, needs, running

pytestmark = pytest.mark.twin

Media = Any
SECRET = "a secret of all machines"


class Store:
    """A Redis of one test, which may die and come back empty."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._running = contextlib.ExitStack()
        self.url = f"unix://{home / 'r.sock'}"

    def start(self) -> None:
        socket = str(self._home / "r.sock")
        command = [needs("redis-server"), "--port", "0", "--unixsocket", socket]
        command += ["--save", "", "--appendonly", "no", "--dir", str(self._home)]
        ping = [needs("redis-cli"), "-s", socket, "ping"]
        self._running.enter_context(
            running(command, lambda: answers(ping, b"PONG"), self._home / "log")
        )

    def stop(self) -> None:
        self._running.close()


@pytest.fixture
def store() -> Iterator[Store]:
    with folder() as home:
        made = Store(home)
        made.start()
        yield made
        made.stop()


@pytest.fixture
def machine(tmp_path: Path, store: Store) -> Iterator[Callable[..., Crew]]:
    """Start machines by name; each has its folder, its ports and one or more workers."""
    with contextlib.ExitStack() as crews:

        def start(name: str, workers: int = 2, lease_s: float = 30) -> Crew:
            port = free_port()
            crew = Crew(
                tmp_path / name,
                workers,
                replica__enabled="true",
                replica__store_url=store.url,
                replica__url=f"http://127.0.0.1:{port}",
                replica__port=port,
                replica__secret=SECRET,
                replica__lease_s=lease_s,
                window_s=600,
                retention_s=3600,
            )
            return crews.enter_context(crew)

        yield start


def push(
    crew: Crew, channel: str, media: tuple[Media, Media], numbers: Any, *, headers: bool = False
) -> None:
    """As an encoder does: what nobody can take while the store is slow is sent again."""
    worker = crew.workers()[0]

    def send(name: str, body: bytes) -> None:
        def told() -> Answered | None:
            answer = crew.push(worker, f"/ingest/{channel}/{name}", body)
            return None if "owner_unknown" in answer.text else answer

        answer = until(told, "somebody to know who writes")
        assert answer.status == 200, answer.text

    named = list(zip(("v.cmfv", "a.cmfa"), media, strict=True))
    for name, each in named:
        if headers:
            send(name, each.header)
    for number in numbers:
        for name, each in named:
            send(name, each.segment(number))


def listed(crew: Crew, worker: int, channel: str) -> list[int]:
    text = crew.get(worker, f"/live/{channel}/v/media.m3u8").text
    lines = [line for line in text.splitlines() if line.endswith(".m4s") and line[0] != "#"]
    return [int(line.rsplit("/", 1)[-1].removesuffix(".m4s")) for line in lines]


def reach(crews: list[Crew], channel: str, number: int) -> None:
    for crew in crews:
        for worker in crew.workers():
            until(
                lambda crew=crew, worker=worker: listed(crew, worker, channel)[-1:] == [number],
                f"{number} on {crew.data.name}",
            )


def same(crews: list[Crew], channel: str, numbers: range, media: Media) -> None:
    paths = ["v/init.mp4", "v/media.m3u8", "a/media.m3u8", "master.m3u8", "manifest.mpd"]
    paths += [f"{track}/{number}.m4s" for track in "va" for number in numbers]
    for path in paths:
        answers = [
            crew.get(worker, f"/live/{channel}/{path}")
            for crew in crews
            for worker in crew.workers()
        ]
        assert {a.status for a in answers} == {200}, path
        assert len({a.body for a in answers}) == 1, path
        assert len({a.headers["etag"] for a in answers}) == 1, path
    for number in numbers:
        found = crews[-1].get(crews[-1].workers()[0], f"/live/{channel}/v/{number}.m4s")
        assert found.body == media.segment(number)


def test_two_machines_serve_the_same(
    machine: Callable[..., Crew], long_video: Media, long_audio: Media, long_number: int
) -> None:
    media, numbers = (long_video, long_audio), range(long_number, long_number + 6)
    one, two = machine("one"), machine("two")
    push(one, "same", media, numbers, headers=True)
    reach([one, two], "same", numbers[-1])
    same([one, two], "same", numbers, long_video)


def test_a_machine_that_comes_later_catches_up(
    machine: Callable[..., Crew], long_video: Media, long_audio: Media, long_number: int
) -> None:
    media, numbers = (long_video, long_audio), range(long_number, long_number + 8)
    one = machine("one", 1)
    push(one, "late", media, numbers[:6], headers=True)
    two = machine("two", 1)
    push(one, "late", media, numbers[6:])
    reach([one, two], "late", numbers[-1])
    same([one, two], "late", numbers, long_video)


def test_a_push_to_the_other_machine_goes_to_the_one_that_writes(
    machine: Callable[..., Crew], long_video: Media, long_audio: Media, long_number: int
) -> None:
    media, numbers = (long_video, long_audio), range(long_number, long_number + 6)
    one, two = machine("one"), machine("two")
    push(one, "far", media, numbers[:3], headers=True)
    push(two, "far", media, numbers[3:])
    reach([one, two], "far", numbers[-1])
    same([one, two], "far", numbers, long_video)


def test_a_machine_dies_and_the_other_goes_on_where_it_was(
    machine: Callable[..., Crew], long_video: Media, long_audio: Media, long_number: int
) -> None:
    media, numbers = (long_video, long_audio), range(long_number, long_number + 8)
    one, two = machine("one", lease_s=1.5), machine("two", lease_s=1.5)
    push(one, "dies", media, numbers[:4], headers=True)
    reach([two], "dies", numbers[3])
    for pid in [one.process.pid, *one.workers()]:
        os.kill(pid, signal.SIGKILL)
    one.process.wait()

    def taken() -> bool:
        name = "/ingest/dies/v.cmfv"
        answer = two.push(two.workers()[0], name, long_video.segment(numbers[4]))
        return answer.status == 200

    until(taken, "the lease to run out")
    push(two, "dies", media, numbers[4:])
    reach([two], "dies", numbers[-1])
    for worker in two.workers():
        assert listed(two, worker, "dies") == list(numbers)
    same([two], "dies", numbers, long_video)


def errors(crew: Crew) -> float:
    """How often work among machines failed, over all workers."""
    text = exchange(crew.admin_port, "GET", "/metrics").text
    found = [x for x in text.splitlines() if x.startswith("headwater_origin_replica_errors_total{")]
    return sum(float(line.split()[-1]) for line in found)


@pytest.mark.slow
def test_without_the_store_the_writer_goes_on_and_the_copy_catches_up(
    machine: Callable[..., Crew],
    store: Store,
    long_video: Media,
    long_audio: Media,
    long_number: int,
) -> None:
    """All workers of both machines serve on, and the metric to alert on grows meanwhile."""
    media, numbers = (long_video, long_audio), range(long_number, long_number + 9)
    one, two = machine("one", 2, lease_s=1.5), machine("two", 1, lease_s=1.5)
    push(one, "down", media, numbers[:3], headers=True)
    reach([one, two], "down", numbers[2])
    before = errors(one)
    store.stop()
    until(lambda: errors(one) > before + 1, "renewals of the lease to fail")
    push(one, "down", media, numbers[3:6])
    reach([one, two], "down", numbers[5])
    same([one, two], "down", numbers[:6], long_video)
    store.start()
    push(one, "down", media, numbers[6:])
    reach([one, two], "down", numbers[-1])
    same([one, two], "down", numbers, long_video)
