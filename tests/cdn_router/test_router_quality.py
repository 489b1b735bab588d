"""Stalls and the CDN they are charged to (CM-40..CM-43), sequence numbers, sane ranges (CM-33)."""

import random

import pytest

from cdn_router.bucket import Buckets
from cdn_router.cmcd.decode import decode_line
from cdn_router.intake import Hosts
from cdn_router.quality import Quality, host_of
from native.cmcd import MAX_STALL_MS, TURN_MS, Ledger, Witness

HOSTS = Hosts({"A": "http://a.example:8011", "B": "http://b.example"}, {"B": ["clone.example"]})


def told(*records: str) -> Quality:
    quality = Quality()
    for record in records:
        quality.observe(decode_line(record + ",v=2").data, HOSTS, 0)
    return quality


def charged(quality: Quality) -> dict[str, tuple[int, int]]:
    return quality.ledger.charges()


def response(cdn: str, ts: int, rc: int = 200, **more: object) -> str:
    rest = "".join(f",{name}={value}" for name, value in more.items())
    return f'e=rr,rc={rc},ts={ts},url="https://{cdn}.example/1.m4s?secret=1"{rest}'


def state(word: str, ts: int) -> str:
    return f"e=ps,sta={word},ts={ts}"


SWITCH_IN_A_STALL = [
    response("a", 1000, ttlb=100),
    state("p", 1200),
    state("r", 9000),
    'e=h,h="b.example",ts=9500',
    response("b", 9600, ttlb=900),
    state("p", 11000),
]


def test_a_switch_in_a_stall_is_charged_to_the_one_left() -> None:
    """CM-42: A is charged, B is not."""
    assert charged(told(*SWITCH_IN_A_STALL)) == {"A": (1, 2000)}


def test_a_stall_after_the_first_media_of_b_is_charged_to_b() -> None:
    more = [state("r", 20000), state("p", 20500)]
    assert charged(told(*SWITCH_IN_A_STALL, *more)) == {"A": (1, 2000), "B": (1, 500)}


def test_a_delayed_batch_still_counts() -> None:
    """Responses that come after the states they explain."""
    late = sorted(SWITCH_IN_A_STALL, key=lambda record: not record.startswith("e=ps"))
    assert charged(told(*late)) == {"A": (1, 2000)}


TURN = ('e=t,h="a.example:8011",sta=p,ts=0', 'e=h,h="b.example",ts=5')


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        # only hosts are told, and B is in use once the player plays again
        ([*TURN, state("r", 6), state("p", 9)],
         {"A": (1, 3)}),
        ([*TURN, state("r", 6), state("p", 9),
          state("r", 20), state("p", 24)], {"A": (1, 3), "B": (1, 4)}),
        # ...or long after it turned
        ([*TURN,
          state("r", 5 + TURN_MS), state("p", 7 + TURN_MS)], {"B": (1, 2)}),
        # back to A before B brought anything
        ([*TURN,
          'e=h,h="a.example:8011",ts=7', state("r", 9 + TURN_MS), state("p", 10 + TURN_MS)],
         {"A": (1, 1)}),
        # durations alone: the switch between two reports follows the stall
        ([response("a", 0), "e=t,ts=1000", response("b", 9000, ttlb=9), "e=t,bsd=(20),ts=9500"],
         {"A": (1, 20)}),
        ([response("a", 0), response("b", 200), "e=t,ts=1000", "e=t,bsd=(300),ts=9000"],
         {"B": (1, 300)}),
        # both: counted once
        ([response("a", 0), state("r", 10), "e=ps,sta=p,bsd=(40),ts=50"], {"A": (1, 40)}),
        # a clone's host counts as its own CDN; unknown hosts are nobody's
        ([response("clone", 0), state("r", 10), state("p", 20)], {"B": (1, 10)}),
        ([response("other", 0), state("r", 10), state("p", 20)], {"": (1, 10)}),
        # lies and sleeping devices
        ([response("a", 0), state("r", 10), state("p", 11 + MAX_STALL_MS)], {}),
        ([response("a", 0), state("r", 10), state("p", 5)], {}),
        # manifests and failures bring no media
        ([response("a", 0), response("b", 5, ot="m"), response("b", 6, rc=503),
          state("r", 10), state("p", 20)], {"A": (1, 10)}),
    ],
)  # fmt: skip
def test_charges(records: list[str], expected: dict[str, tuple[int, int]]) -> None:
    assert charged(told(*records)) == expected


def test_failures_are_counted_by_cdn() -> None:
    """CM-43: an unreachable CDN is rc 0."""
    quality = told(response("a", 0, rc=0), response("a", 1, rc=404), response("b", 2))
    assert quality.failures == {"A": 2}


def test_the_ledger_is_bounded_and_loses_no_charge() -> None:
    ledger, rng = Ledger(), random.Random(7)
    for number in range(500):
        at_ms = number * 1000
        ledger.media(rng.choice("AB"), at_ms)
        ledger.state("r", at_ms + 100)
        ledger.state("p", at_ms + 200)
    assert sum(count for count, _ in ledger.charges().values()) == 500
    assert sum(ms for _, ms in ledger.charges().values()) == 50_000
    assert len(ledger.used) <= 16 and len(ledger.stalls) <= 32


def test_throughput_is_of_the_cdn_in_use_and_zero_is_none() -> None:
    """CM-32, CM-33."""
    quality = told(response("a", 0))
    for record, expected in (
        ("e=t,mtp=(2000;v 100;a),ts=5,v=2", {"A": 2_000_000}),
        ("e=t,mtp=(0),ts=6,v=2", {}),
        ("e=t,mtp=(99999999999),ts=7,v=2", {}),
        ('e=t,mtp=(100),h="b.example",sta=p,ts=8,v=2', {"B": 100_000}),
    ):
        assert quality.observe(decode_line(record).data, HOSTS, 0) == expected


def test_what_is_measured() -> None:
    quality = told(
        'e=e,ec=("a" "b"),bl=(3000;v 500;a),msd=700,sta=f,ts=1', "e=t,bl=(9999999999),msd=9,ts=2"
    )
    assert quality.to_json() == {
        "reports": 2,
        "doubles": 0,
        "lost": 0,
        "errors": 2,
        "state": "f",
        "buffer_ms": 500,
        "start_delay_ms": 700,
        "failures": {},
        "stalls": {},
    }


def test_sequence_numbers() -> None:
    """CM-22: doubles, gaps that close again, jumps and new counts."""
    sequence = Witness()
    assert [sequence.fresh(n) for n in (0, 1, 1, 4, 0)] == [True, True, False, True, False]
    assert sequence.lost == 2
    assert sequence.fresh(3) and sequence.lost == 1
    assert sequence.fresh(10**9) and sequence.lost == 1001
    assert sequence.fresh(0) and sequence.fresh(1) and not sequence.fresh(1)


def test_sequences_against_a_set() -> None:
    sequence, seen, rng = Witness(), set[int](), random.Random(3)
    for base in range(2000):
        number = max(0, base - rng.randrange(30))
        assert sequence.fresh(number) == (number not in seen)
        seen.add(number)


def test_hosts() -> None:
    assert [HOSTS(host) for host in ("A.example:8011", "a.example", "b.example:444", "x")] == [
        "A",
        "A",
        "B",
        "",
    ]
    shared = Hosts({"A": "http://localhost:1", "B": "http://localhost:2"}, {})
    assert [shared(host) for host in ("localhost:2", "localhost")] == ["B", ""]
    assert host_of("https://user:secret@A.example:1/x?y#z") == "a.example:1"
    assert host_of("http://[") == host_of("") == ""


def test_buckets() -> None:
    buckets = Buckets(per_s=2, burst=4, capacity=2)
    assert buckets.take("a", 4, 0) and not buckets.take("a", 1, 0)
    assert not buckets.take("a", 2, 500) and buckets.take("a", 1, 500)
    assert buckets.take("b", 4, 500) and buckets.take("c", 1, 500)
    assert buckets.take("a", 4, 500), "the oldest name is forgotten"
    assert not buckets.take("c", 4, 0), "a clock that goes back gives nothing"
