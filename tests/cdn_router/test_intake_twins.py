"""The kernel's reading of a batch and the strict reader's: the same witness in the end."""

import random

from cdn_router.cmcd.decode import ORDERLY, decode_slowly
from cdn_router.cmcd.tables import Mode
from cdn_router.intake import Hosts
from cdn_router.quality import Quality
from native.cmcd import Batch

HOSTS = Hosts({"A": "http://a.example:8011", "B": "http://b.example"}, {})


def line(rng: random.Random, ts: int) -> str:
    """A record of an orderly player, with any of the keys that count."""
    keys = {
        "bl": f"({rng.randrange(9) * 100};v {rng.randrange(9) * 100};a)",
        "br": f"({rng.randrange(9000)};v)",
        "bsd": f"({rng.randrange(3000)} {rng.randrange(700_000)};v)",
        "ec": '("x" "y")',
        "h": f'"{rng.choice(["a.example:8011", "B.example", "c.example"])}"',
        "msd": str(rng.randrange(5000)),
        "mtp": f"({rng.randrange(90) * 100})",
        "ot": rng.choice("vamk"),
        "rc": rng.choice(["0", "200", "404"]),
        "sn": str(rng.randrange(20)),
        "sta": rng.choice(["s", "p", "r", "a", "f"]),
        "tb": "(9000)",
        "ttfb": "10",
        "ttlb": str(rng.randrange(900)),
        "url": f'"{rng.choice(["http://a.example:8011/1?b", "https://b.example", "x", "u:/y"])}"',
    }
    kept = {name: value for name, value in keys.items() if rng.random() < 0.6}
    kept |= {"e": rng.choice(["rr", "t", "ps"]), "ts": str(ts), "v": "2"}
    return ",".join(f"{name}={kept[name]}" for name in sorted(kept))


def test_both_ways_end_in_the_same_witness() -> None:
    for seed in range(60):
        rng = random.Random(seed)
        records = [line(rng, 1 + number * rng.randrange(1, 8000)) for number in range(12)]
        batch = Batch(
            *(ORDERLY, HOSTS),
            room=20,
            max_kbps=10_000_000,
            max_buffer_ms=3_600_000,
            max_start_ms=600_000,
            max_sid=64,
        )
        assert batch.read("\n".join(records).encode()) == []
        places = batch.groups()[None]
        quick, slow = Quality(), Quality()
        batch.observe(quick, places, 0)
        for place in places:
            slow.observe(decode_slowly(records[place], Mode.EVENT).data, HOSTS, 0)
        assert quick.to_json() == slow.to_json(), records
        assert quick.outcomes() == slow.outcomes()
        for name in ("bitrate_kbps", "top_kbps", "access_kbps", "last_ms"):
            assert getattr(quick, name) == getattr(slow, name)
