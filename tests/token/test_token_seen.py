"""The cache of verified tokens: never another verdict, only sooner (CAT-101)."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cat
from cat import cose, verify
from cat.seen import Seen

SECRET = cat.generate("HS256", "k")
KEYS = cat.KeySet.from_json([SECRET])
CLAIMS = {
    "iss": "me",
    "aud": "edge",
    "sub": "viewer",
    "nbf": 1000,
    "exp": 2000,
    "catm": ["GET"],
    "catu": {"path": {"prefix": "/live/"}},
    "catnip": [cat.cbor.Tag(52, (24, b"\xc0\x00\x02")), 64500],
    "catgeoiso3166": ["SE"],
    "cath": {"user-agent": {"prefix": "p"}},
}
TOKEN = cat.issue(CLAIMS, KEYS.signer())


def asked(**changes):
    return cat.Context(
        **{
            "uri": "https://h/live/a",
            "now": 1500,
            "ip": "192.0.2.1",
            "country": "SE",
            "headers": {"user-agent": "p"},
            **changes,
        }
    )


CONTEXT = asked()
OPTIONS = cat.Options(audiences=("edge",))


def both(seen, token=TOKEN, context=CONTEXT, keys=KEYS, options=OPTIONS):
    """The verdict with the cache, checked against the one without."""
    cold = verify(token, context, keys, options)
    assert verify(token, context, keys, options, seen) == cold
    return cold


@pytest.fixture
def parses(monkeypatch):
    """How many tokens were taken apart."""
    counted = []
    parse = cose.parse
    monkeypatch.setattr(cose, "parse", lambda *given: counted.append(1) or parse(*given))
    return counted


def test_the_second_time_nothing_is_parsed(parses):
    seen = Seen()
    for _ in range(5):
        assert verify(TOKEN, CONTEXT, KEYS, OPTIONS, seen).accept
    assert len(parses) == 1 and len(seen) == 1


@pytest.mark.parametrize(
    ("changes", "options", "reason"),
    [
        ({"now": 2000}, {}, "expired"),
        ({"now": 999}, {}, "not_before"),
        ({"method": "HEAD"}, {}, "method"),
        ({"uri": "https://h/vod/a"}, {}, "uri"),
        ({"ip": "198.51.100.1"}, {}, "network"),
        ({"country": "NO"}, {}, "geo"),
        ({"headers": {}}, {}, "header"),
        ({}, {"issuers": ("you",)}, "issuer"),
        ({}, {"audiences": ("other",)}, "audience"),
        ({}, {"subject": "another"}, "subject"),
        ({}, {"require": ("catdpop",)}, "missing"),
    ],
)
def test_everything_of_the_request_is_judged_again(parses, changes, options, reason):
    seen = Seen()
    assert verify(TOKEN, CONTEXT, KEYS, OPTIONS, seen).accept
    context, settings = asked(**changes), replace(OPTIONS, **options)
    assert verify(TOKEN, context, KEYS, settings, seen).reason == reason
    assert len(parses) == 1
    assert both(seen, context=context, options=settings).reason == reason
    assert both(seen).accept


def test_a_new_key_set_believes_nothing_of_the_old():
    seen = Seen()
    assert both(seen).accept
    others = cat.KeySet.from_json([cat.generate("HS256", "k")])
    assert both(seen, keys=others).reason == "signature"
    assert both(seen, keys=cat.KeySet([])).reason == "alg"


def test_a_key_that_ends_takes_its_tokens_along():
    """CAT-28."""
    keys = cat.KeySet.from_json([SECRET | {"nbf": 1200, "exp": 1600}])
    seen = Seen()
    assert both(seen, keys=keys).accept
    assert both(seen, keys=keys, context=asked(now=1600)).reason == "key"
    assert both(seen, keys=keys, context=asked(now=1100)).reason == "key"


def test_settings_of_the_first_steps_are_part_of_the_name():
    """CAT-25, CAT-63."""
    seen = Seen()
    token = cat.issue(CLAIMS | {324: (1,)}, KEYS.signer())
    ignoring = replace(OPTIONS, contested="ignore")
    assert both(seen, token, options=ignoring).accept
    assert both(seen, token).reason == "claim_contested"
    assert both(seen, token, options=replace(OPTIONS, profile="quicr")).reason == "claim_malformed"


def test_refused_tokens_leave_nothing():
    seen = Seen()
    forms = cat.issue({"exp": 2000}, KEYS.signer(), profile="cta")
    for token in (TOKEN[:-2], TOKEN + "A", "", "\udcff", "é", "A" * 5000, forms[:-4] + "AAAA"):
        assert not both(seen, token).accept
    assert len(seen) == 0


def test_the_token_used_longest_ago_makes_room(parses):
    seen = Seen(2)
    first, second, third = (cat.issue(CLAIMS, KEYS.signer()) for _ in range(3))
    for token in (first, second, first, third, first):
        assert verify(token, CONTEXT, KEYS, OPTIONS, seen).accept
    assert len(seen) == 2 and len(parses) == 3
    assert verify(second, CONTEXT, KEYS, OPTIONS, seen).accept and len(parses) == 4
    with pytest.raises(ValueError):
        Seen(0)


def test_what_is_kept_cannot_be_changed_through_a_verdict():
    seen = Seen()
    verify(TOKEN, CONTEXT, KEYS, OPTIONS, seen)
    verdict = verify(TOKEN, CONTEXT, KEYS, OPTIONS, seen)
    with pytest.raises(TypeError):
        verdict.claims[4] = 9999


@settings(max_examples=200)
@given(
    steps=st.lists(
        st.tuples(
            st.integers(0, 3),
            st.sampled_from([999, 1000, 1500, 1999, 2000]),
            st.sampled_from(["https://h/live/a", "https://h/vod/a", "https://h/live/%2e%2e/b"]),
            st.sampled_from(["192.0.2.1", "198.51.100.1", None]),
            st.sampled_from(["cta", "quicr", "akamai"]),
        ),
        max_size=12,
    )
)
def test_no_history_changes_a_verdict(steps):
    tokens = [TOKEN, TOKEN[:-4] + "AAAA", cat.issue({"exp": 2000}, KEYS.signer()), "x"]
    seen = Seen(2)
    for index, now, uri, ip, profile in steps:
        context = asked(now=now, uri=uri, ip=ip)
        both(seen, tokens[index], context, options=replace(OPTIONS, profile=profile))
