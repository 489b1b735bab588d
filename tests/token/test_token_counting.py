"""The counting filter beside the Bloom snapshot (CAT-73)."""

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

import cat
from cat.counting import FULL, MAGIC, Counting
from cat.revocation import Finding, SnapshotError, name_of

NOW = 1_000_000.0
KEYS = cat.KeySet.from_json([cat.generate("HS256", "k")])


def names(count, start=0):
    return [name_of("cti", b"%d" % number) for number in range(start, start + count)]


def test_it_follows_the_list():
    revocations = cat.Revocations()
    for number in range(50):
        revocations.revoke("cti", b"%d" % number)
    revocations.revoke("cti", b"past", until=NOW)
    edge = Counting(Counting.of(revocations, NOW, room=200).to_bytes())
    assert all(name in edge for name in names(50)) and name_of("cti", b"past") not in edge
    for name in names(150, 50):
        edge.add(name, NOW)
    for name in names(100):
        edge.discard(name, NOW)
    assert all(name in edge for name in names(100, 100))
    assert sum(name in edge for name in names(100)) <= 1
    assert sum(name in edge for name in names(10_000, 1_000)) < 20


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 12)), max_size=60))
def test_what_is_listed_is_always_found(steps):
    """Against a multiset: added as often as not yet discarded."""
    edge, listed = Counting.of(cat.Revocations(), NOW), Counter()
    pool = names(13)
    for joined, number in steps:
        if joined:
            edge.add(pool[number], NOW)
            listed[number] += 1
        elif listed[number]:
            edge.discard(pool[number], NOW)
            listed[number] -= 1
        assert all(pool[number] in edge for number, count in listed.items() if count)


def test_full_cells_stay():
    edge = Counting.of(cat.Revocations(), NOW)
    first, second = names(2)
    for _ in range(FULL + 5):
        edge.add(first, NOW)
    edge.add(second, NOW)
    for _ in range(FULL + 5):
        edge.discard(first, NOW)
    assert first in edge and second in edge


def test_a_verifier_hears_of_changes_and_age():
    revocations = cat.Revocations()
    revocations.revoke_before("us", NOW)
    made = Counting.of(revocations, NOW, room=10).to_bytes()
    edge = Counting(made, max_age_s=60)
    verifier = cat.Verifier(KEYS, revoked=edge)
    claims = {"iss": "me", "exp": NOW + 999, "cti": b"1", "iat": NOW}
    token = cat.issue(claims, KEYS.signer())
    old = cat.issue(claims | {"iss": "us", "iat": NOW - 1}, KEYS.signer())

    def reason(text, now):
        return verifier.verify(text, cat.Context("https://h/", now)).reason

    assert [reason(token, NOW), reason(token, NOW), reason(old, NOW)] == ["ok", "ok", "revoked"]
    edge.add(name_of("cti", b"1"), NOW)
    assert reason(token, NOW) == "revoked"
    edge.discard(name_of("cti", b"1"), NOW)
    assert reason(token, NOW + 59) == "ok"
    assert reason(token, NOW + 60) == "store"
    edge.heard(NOW + 60)
    assert reason(token, NOW + 61) == "ok"
    assert edge.finds({1: "us"}, None, NOW + 61) == Finding("revoked", "iss")


def test_files_that_are_none():
    made = Counting.of(cat.Revocations(), NOW).to_bytes()
    assert made.startswith(MAGIC) and Counting(made).to_bytes() == made
    wrong = [made[:-20], b"", cat.Revocations().snapshot(NOW), b"X" + made[1:]]
    for data in [*wrong, random.Random(1).randbytes(60)]:
        with pytest.raises(SnapshotError):
            Counting(data)
    with pytest.raises(SnapshotError):
        cat.Snapshot(made)
