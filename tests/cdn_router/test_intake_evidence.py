"""From reports to evidence: cells, scores, failures, and what a liar may weigh (RT-2, RT-22)."""

import pytest

from cdn_router.cells.feed import MAX_FAILURES, SAMPLE_MS
from cdn_router.cells.place import Place, cell_of, locator, network_of
from cdn_router.cells.state import State
from cdn_router.intake import Intake
from cdn_router.policies.face import Cdn, Cell, Circuit
from cdn_router.server import build, build_intake
from cdn_router.sessions import Viewer
from cdn_router.settings import Settings

NOW_MS = 1_700_000_000_000
URL = "http://localhost:8011/1.m4s"
HERE = Cell("DE", "AS7", "", "tv", "film")


@pytest.fixture
def state() -> State:
    return State((Cdn("CDN-A"), Cdn("CDN-B")), NOW_MS / 1000)


@pytest.fixture
def intake(state: State) -> Intake:
    settings = Settings()
    router = build(settings)
    for number in range(9):
        router.sessions.seen(f"s{number}", NOW_MS).viewer = Viewer("film", "DE", "tv", 7)
    return build_intake(settings, router, state)


def played(session: int, at_ms: int, rc: int = 200, sta: str = "p") -> bytes:
    return (
        f'br=(4000),e=rr,rc={rc},sid="s{session}",ts={at_ms},url="{URL}",v=2\n'
        f'e=ps,sid="s{session}",sta={sta},ts={at_ms + 1},v=2'
    ).encode()


def test_playback_becomes_a_sample_of_its_cell(state: State, intake: Intake) -> None:
    for second in range(0, 21, 10):
        intake.take(played(1, NOW_MS + second * 1000), "192.0.2.1", NOW_MS + second * 1000)
    snapshot = state.snapshot(NOW_MS + 20_000)
    evidence = snapshot.cells[HERE][0]
    assert 1.8 < evidence.n < 2.0 and evidence.failures == 0
    assert 60 < evidence.qoe / evidence.n < 70
    assert snapshot.cells[HERE][1].n == 0
    assert snapshot.sites["DE"][0].load_mbps == pytest.approx(1.66, abs=0.05)


def test_a_stall_lowers_the_score_of_the_cdn_that_caused_it(state: State, intake: Intake) -> None:
    intake.take(played(1, NOW_MS), "192.0.2.1", NOW_MS)
    intake.take(played(1, NOW_MS + 1_000, sta="r"), "192.0.2.1", NOW_MS + 1_000)
    later = NOW_MS + SAMPLE_MS
    intake.take(played(1, NOW_MS + 2_000), "192.0.2.1", later)
    evidence = state.snapshot(later).cells[HERE][0]
    assert evidence.n == pytest.approx(0.5) and 35 < evidence.qoe / evidence.n < 45


@pytest.mark.parametrize(
    ("sessions", "networks", "expected"),
    [(3, 3, Circuit.OPEN), (1, 3, Circuit.CLOSED), (9, 1, Circuit.CLOSED)],
)
def test_one_liar_opens_no_circuit(
    state: State, intake: Intake, sessions: int, networks: int, expected: Circuit
) -> None:
    for number in range(9):
        peer = f"192.0.{number % networks}.1"
        intake.take(played(number % sessions, NOW_MS + number, rc=0), peer, NOW_MS + number)
    state.look(NOW_MS / 1000 + 1)
    assert state.circuits.circuit("DE", 0) is expected


def test_a_batch_of_failures_weighs_no_more_than_a_few(state: State, intake: Intake) -> None:
    body = b"\n".join(played(1, NOW_MS + number, rc=503) for number in range(20))
    intake.take(body, "192.0.2.1", NOW_MS)
    assert state.snapshot(NOW_MS).cells[HERE][0].failures == pytest.approx(MAX_FAILURES)


def test_networks() -> None:
    addresses = ["192.0.2.1", "192.0.2.99", "2001:db8:1::5", "2001:db8:1:ff::6", "", "unix"]
    assert [network_of(address) for address in addresses] == [
        *("192.0.2", "192.0.2", "2001:db8:1::/48", "2001:db8:1::/48", "", ""),
    ]


class Table:
    """A database of one address."""

    def __init__(self, found: object) -> None:
        self.found = found

    def get(self, ip_address: str) -> object:
        if not ip_address:
            raise ValueError("no address")
        return self.found if ip_address == "192.0.2.1" else None


def test_places_come_from_the_databases_and_give_way_to_what_a_start_said() -> None:
    place = locator(
        Table({"country": {"iso_code": "FR"}}), Table({"autonomous_system_number": 64496})
    )
    assert place("192.0.2.1") == Place("FR", "AS64496")
    assert place("192.0.2.2") == place("") == Place()
    known = place("192.0.2.1")
    assert cell_of(known, country="", asn=None, device="tv", content="x") == Cell(
        "FR", "AS64496", "", "tv", "x"
    )
    assert cell_of(known, country="DE", asn=1, device="", content="c" * 99) == Cell(
        "DE", "AS1", "", "", "c" * 64
    )
