"""An origin of three workers: one takes in, all serve the same bytes; any of them may die."""

import contextlib
import os
import signal
import threading
from pathlib import Path
from typing import Any

import pytest
from twins.crew import Crew, until

Media = Any

CHANNEL = "/ingest/ch"
LISTS = {"window_s": 600, "retention_s": 3600}  # all that a test pushes
LISTED = ("v/init.mp4", "v/media.m3u8", "a/init.mp4", "a/media.m3u8", "master.m3u8", "manifest.mpd")


@pytest.fixture
def crew(tmp_path: Path) -> Any:
    with Crew(tmp_path, 3, **LISTS) as running:
        yield running


def push_both(
    crew: Crew, worker: int, media: tuple[Media, Media], numbers: range, *, headers: bool = False
) -> None:
    """Segments of video and audio, one request each (I3), all to one worker."""
    for name, each in zip(("v.cmfv", "a.cmfa"), media, strict=True):
        if headers:
            assert crew.push(worker, f"{CHANNEL}/{name}", each.header).status == 200
    for number in numbers:
        for name, each in zip(("v.cmfv", "a.cmfa"), media, strict=True):
            answer = crew.push(worker, f"{CHANNEL}/{name}", each.segment(number))
            assert answer.status == 200, answer.text


def edges(crew: Crew, worker: int) -> list[int]:
    """The segment numbers that a worker's playlist of the video lists."""
    text = crew.get(worker, "/live/ch/v/media.m3u8").text
    lines = [line for line in text.splitlines() if line.endswith(".m4s")]
    return [int(line.rsplit("/", 1)[-1].removesuffix(".m4s")) for line in lines]


def shown(crew: Crew) -> set[tuple[bytes, str]]:
    """The video's playlist and its tag, of each worker."""
    found = [crew.get(worker, "/live/ch/v/media.m3u8") for worker in crew.workers()]
    return {(each.body, each.headers["etag"]) for each in found}


def reaches(crew: Crew, worker: int, number: int) -> None:
    until(lambda: edges(crew, worker)[-1:] == [number], f"worker {worker} to list {number}")


def test_what_one_worker_takes_in_all_serve_alike(
    crew: Crew, long_video: Media, long_audio: Media, long_number: int
) -> None:
    workers = crew.workers()
    numbers = range(long_number, long_number + 8)
    push_both(crew, workers[0], (long_video, long_audio), numbers, headers=True)
    assert crew.owner("ch") == workers[0]
    for worker in workers:
        reaches(crew, worker, numbers[-1])
    paths = [*LISTED, *(f"{track}/{number}.m4s" for track in "va" for number in numbers)]
    for path in paths:
        answers = [crew.get(worker, f"/live/ch/{path}") for worker in workers]
        assert {a.status for a in answers} == {200}, path
        assert len({a.body for a in answers}) == 1, path
        assert len({a.headers["etag"] for a in answers}) == 1, path
        assert len({a.headers["last-modified"] for a in answers}) == 1, path
    assert crew.get(workers[1], f"/live/ch/v/{numbers[0]}.m4s").body == long_video.segment(
        numbers[0]
    )


def test_a_push_to_any_worker_reaches_the_one_that_writes(
    crew: Crew, long_video: Media, long_audio: Media, long_number: int
) -> None:
    workers = crew.workers()
    push_both(
        crew,
        workers[0],
        (long_video, long_audio),
        range(long_number, long_number + 2),
        headers=True,
    )
    for step, worker in enumerate(workers):
        number = long_number + 2 + step
        push_both(crew, worker, (long_video, long_audio), range(number, number + 1))
    assert crew.owner("ch") == workers[0]
    for worker in workers:
        reaches(crew, worker, long_number + 4)
    refused = crew.push(workers[1], f"{CHANNEL}/v.cmfv", b"\0\0\0\x08junk")
    assert refused.status == 400
    assert b'"error"' in refused.body
    assert crew.push(workers[2], "/ingest/ch/../x/v.cmfv", b"").status == 403


def test_the_owner_dies_and_nothing_acknowledged_is_lost(
    crew: Crew, long_video: Media, long_audio: Media, long_number: int
) -> None:
    """kill -9 between two segments and within one; the encoder sends the cut one again (I13)."""
    media = (long_video, long_audio)
    numbers = range(long_number, long_number + 12)
    seen: dict[int, list[int]] = {}
    first = crew.workers()
    push_both(crew, first[0], media, numbers[:4], headers=True)
    for step in range(2):
        owner = crew.owner("ch")
        survivors = [pid for pid in first if pid != owner and Path(f"/proc/{pid}").exists()]
        for worker in survivors:
            seen.setdefault(worker, []).append(edges(crew, worker)[-1])
        cut = crew.connect(owner, crew.ingest_port)
        body = long_video.segment(numbers[4 + 4 * step])
        cut.putrequest("PUT", f"{CHANNEL}/v.cmfv")
        cut.putheader("Content-Length", str(len(body)))
        cut.endheaders(body[: len(body) // 2])
        os.kill(owner, signal.SIGKILL)
        cut.close()
        push_both(crew, survivors[0], media, numbers[4 + 4 * step : 8 + 4 * step])
        assert crew.owner("ch") in survivors
        for worker in survivors:
            reaches(crew, worker, numbers[7 + 4 * step])
            seen[worker].append(edges(crew, worker)[-1])
    until(crew.ready, "the lost workers' successors")
    assert len(crew.workers()) == 3
    for worker in crew.workers():
        reaches(crew, worker, numbers[-1])
        text = crew.get(worker, "/live/ch/v/media.m3u8").text
        assert "EXT-X-GAP" not in text
        assert "EXT-X-DISCONTINUITY\n" not in text
        assert edges(crew, worker) == list(numbers)
        for number in numbers:
            found = crew.get(worker, f"/live/ch/v/{number}.m4s")
            assert found.body == long_video.segment(number)
    assert all(history == sorted(history) for history in seen.values())


def test_a_follower_dies_and_nobody_else_notices(
    crew: Crew, long_video: Media, long_audio: Media, long_number: int
) -> None:
    media = (long_video, long_audio)
    workers = crew.workers()
    push_both(crew, workers[0], media, range(long_number, long_number + 3), headers=True)
    os.kill(workers[1], signal.SIGKILL)
    push_both(crew, workers[0], media, range(long_number + 3, long_number + 6))
    assert crew.owner("ch") == workers[0]
    reaches(crew, workers[2], long_number + 5)
    until(crew.ready, "its successor")
    for worker in crew.workers():
        reaches(crew, worker, long_number + 5)


def test_a_request_held_by_a_follower_is_let_go_when_the_owner_publishes(
    crew: Crew, long_video: Media, long_audio: Media, long_number: int
) -> None:
    """The next segment may be asked for before it is there (O5), of any worker."""
    media = (long_video, long_audio)
    workers = crew.workers()
    push_both(crew, workers[0], media, range(long_number, long_number + 4), headers=True)
    reaches(crew, workers[2], long_number + 3)
    found: list[Any] = []
    path = f"/live/ch/v/{long_number + 4}.m4s"
    waiting = threading.Thread(target=lambda: found.append(crew.get(workers[2], path)))
    waiting.start()
    push_both(crew, workers[0], media, range(long_number + 4, long_number + 5))
    waiting.join(60)
    assert found[0].status == 200
    assert found[0].body == long_video.segment(long_number + 4)


def test_a_refused_first_header_leaves_no_owner(crew: Crew) -> None:
    worker = crew.workers()[0]
    assert crew.push(worker, "/ingest/other/v.cmfv", b"\0\0\0\x10ftypisom\0\0\0\0").status >= 400
    assert crew.owner("other") == 0
    assert not (crew.data / "origin" / "run" / "other.lock").exists()


def test_sigterm_drains_all_and_a_restart_begins_where_they_ended(
    tmp_path: Path, long_video: Media, long_audio: Media, long_number: int
) -> None:
    numbers = range(long_number, long_number + 5)
    with Crew(tmp_path, 3, **LISTS) as crew:
        push_both(crew, crew.workers()[1], (long_video, long_audio), numbers, headers=True)
        before = crew.get(crew.workers()[1], "/live/ch/v/media.m3u8")
        assert crew.stop() == 0
    assert sorted(p.name for p in (tmp_path / "origin" / "run").iterdir()) == []
    with Crew(tmp_path, 2, **LISTS) as crew:
        assert crew.owner("ch") == 0
        for worker in crew.workers():
            after = crew.get(worker, "/live/ch/v/media.m3u8")
            assert after.body == before.body
            assert after.headers["etag"] == before.headers["etag"]
        push_both(
            crew,
            crew.workers()[1],
            (long_video, long_audio),
            range(numbers[-1] + 1, numbers[-1] + 2),
        )
        assert crew.owner("ch") == crew.workers()[1]
        reaches(crew, crew.workers()[0], numbers[-1] + 1)


class Endless:
    """One endless chunked body (I3), sent chunk by chunk to one worker."""

    def __init__(self, crew: Crew, worker: int, path: str) -> None:
        self.connection = crew.connect(worker, crew.ingest_port)
        self.connection.putrequest("POST", path)
        self.connection.putheader("Transfer-Encoding", "chunked")
        self.connection.endheaders()

    def send(self, data: bytes) -> None:
        self.connection.send(b"%x\r\n%b\r\n" % (len(data), data))

    def end(self) -> int:
        self.connection.send(b"0\r\n\r\n")
        with contextlib.closing(self.connection), self.connection.getresponse() as response:
            return response.status


@pytest.mark.parametrize("through", ["owner", "neighbour"])
def test_a_part_lets_go_the_requests_parked_on_every_worker(
    crew: Crew, long_chunked: Media, long_number: int, through: str
) -> None:
    """Blocking reloads (HLS-21) of each part, asked of all workers before the part is there."""
    workers = crew.workers()
    probe = crew.push(workers[0], f"{CHANNEL}/v.cmfv", long_chunked.header)
    assert probe.status == 200
    body = Endless(crew, workers[0] if through == "owner" else workers[1], f"{CHANNEL}/v.cmfv")
    body.send(long_chunked.header)
    for number in range(long_number, long_number + 5):
        for piece in long_chunked.pieces(number):
            body.send(piece)
    for worker in workers:
        reaches(crew, worker, long_number + 4)
    for number in range(long_number + 5, long_number + 7):
        for part, piece in enumerate(long_chunked.pieces(number)):
            path = f"/live/ch/v/media.m3u8?_HLS_msn={number}&_HLS_part={part}"
            parked = []
            for worker in workers:
                connection = crew.connect(worker, crew.delivery_port)
                connection.request("GET", path)
                parked.append(connection)
            body.send(piece)
            playlists = []
            for connection in parked:
                with contextlib.closing(connection), connection.getresponse() as response:
                    assert response.status == 200
                    playlists.append((response.read(), response.getheader("etag")))
            assert all(f"{number}.{part}.m4s".encode() in body for body, _ in playlists)
            if part < long_chunked.per_segment - 1:
                assert len(set(playlists)) == 1
            else:  # who follows may show the last part before its segment is told to be whole
                until(lambda: len(shown(crew)) == 1, "all to show the whole segment")
            parts = [crew.get(worker, f"/live/ch/v/{number}.{part}.m4s") for worker in workers]
            assert {found.status for found in parts} == {200}
            assert {found.body for found in parts} == {piece}
            assert len({found.headers["etag"] for found in parts}) == 1
    assert body.end() == 200


def test_a_segment_in_the_making_grows_alike_on_every_worker(
    crew: Crew, long_chunked: Media, long_number: int
) -> None:
    """Asked for after its first chunk (O10, L11): the rest follows as it comes, whoever answers."""
    workers = crew.workers()
    body = Endless(crew, workers[0], f"{CHANNEL}/v.cmfv")
    body.send(long_chunked.header)
    for number in range(long_number, long_number + 5):
        for piece in long_chunked.pieces(number):
            body.send(piece)
    for worker in workers:
        reaches(crew, worker, long_number + 4)
    number = long_number + 5
    first, *rest = long_chunked.pieces(number)
    body.send(first)
    growing = []
    for worker in workers:
        connection = crew.connect(worker, crew.delivery_port)
        connection.request("GET", f"/live/ch/v/{number}.m4s")
        response = connection.getresponse()
        assert response.status == 200
        assert response.read(len(first)) == first
        growing.append((connection, response))
    for piece in rest:
        body.send(piece)
        for _, response in growing:
            assert response.read(len(piece)) == piece
    for connection, response in growing:
        assert response.read() == b""
        connection.close()
    assert body.end() == 200
