"""The endpoint's quick yes agrees with the handler, request by request (native.personal.Porter)."""

import asyncio
import itertools
import time

import pytest

import cat
from headwater.verifier import Verifying, accepted
from native.personal import Porter

MEMBERS = [cat.generate("HS256", "k"), cat.generate("ES256", "e")]
KEYS = cat.KeySet.from_json(MEMBERS)
OPTIONS = cat.Options(issuers=("me",), require=("exp",))
LATER = 4_102_444_800  # in 2100: a token made on import serves when its test runs, however late


def token(kid="k", **claims):
    path = {"host": {"exact": "cdn.example"}, "path": {"prefix": "/live/"}}
    wanted = {"iss": "me", "exp": LATER, "catu": path, "catm": ["GET", "HEAD"]}
    return cat.issue(wanted | claims, KEYS.signer(kid))


GOOD = token()
SIGNED = token("e")
STALE = token(exp=1)
TIED = token(catnip=[64500, cat.cbor.Tag(52, (24, b"\xc0\x00\x02"))], catgeoiso3166=["SE"])
QUERIED = token(catu={"query": {"exact": "q=1&r=2"}})
TOKENS = (GOOD, SIGNED, STALE, TIED, QUERIED, GOOD[:-4] + "AAAA", "x", "")
TARGETS = (
    "/live/a",
    "/live/a?CAT={}",
    "/live/a?cat={}&q=1",
    "/live/a?q=1&CAT={}&r=2",
    "/live/a?q=1&r=2&Cat={}",
    "/live/a?xcat={}",
    "/live/a?CAT=&CAT={}",
    "/live/a?CAT={}&CAT=other",
    "/live/a?CAT={}%20",
    "/cat:{}/live/a",
    "/cat:{}/live/a?q=1&r=2",
    "/cat:{}/cat:" + GOOD + "/live/a",
    "/cat%3A{}/live/a",
    "/{}/live/a",
    "/cat:{}",
    "/live/../other?CAT={}",
    "/live/%2e%2e/live/a?CAT={}",
    "/LIVE/a?CAT={}",
    "//live/a?CAT={}",
    "/live/a;b?CAT={}",
    "/live/a?CAT={}#f",
)
PLACES = (
    {},
    {"CTA-Common-Access-Token": "{}"},
    {"CTA-Common-Access-Token": "{}; a=b"},
    {"CTA-Common-Access-Token": "{}, " + GOOD},
    {"Cookie": "a=b; CTA-Common-Access-Token={}"},
    {"Cookie": "cta-common-access-token={}; cta-common-access-token=" + STALE},
    {"Cookie": "a=" + GOOD},
)


async def ask(port, target, fields):
    """Status and fields of one answer, over a connection of its own."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = "".join(f"{name}: {value}\r\n" for name, value in fields)
    writer.write(f"GET {target} HTTP/1.1\r\n{head}Connection: close\r\n\r\n".encode())
    answer = (await reader.read()).decode()
    writer.close()
    lines = answer.partition("\r\n\r\n")[0].split("\r\n")
    return [lines[0], *(line for line in lines if line.lower().startswith("cat-"))]


@pytest.fixture
async def pair():
    """The same verifier with and without the porter, and the porter."""
    standing = cat.Verifier(KEYS, OPTIONS)
    porter = Porter(accepted, time.time)
    porter.use(standing)
    parts = [
        Verifying(standing.verify_any, time.time, host="127.0.0.1", port=0, porter=each)
        for each in (porter, None)
    ]
    for part in parts:
        await part.start()
    yield parts[0].port, parts[1].port, porter
    for part in parts:
        await part.stop()


def nginx(target, fields):
    return "/auth", [
        ("Host", "backend"),
        ("X-Original-URL", f"https://cdn.example{target}"),
        ("X-Real-IP", "192.0.2.7"),
        ("X-Client-ASN", "64500"),
        ("X-Client-Country", "SE-AB"),
        *fields.items(),
    ]


def forwarded(target, fields):
    return "/auth", [
        ("Host", "backend"),
        ("X-Original-URI", target),
        ("X-Original-Method", "HEAD"),
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Host", "CDN.example:443"),
        *fields.items(),
    ]


def envoy(target, fields):
    target = target.partition("#")[0]
    return f"/ext_authz{target}", [("Host", "cdn.example"), *fields.items()]


@pytest.mark.parametrize("front", [nginx, forwarded, envoy])
async def test_both_ways_agree(pair, front):
    quick, slow, porter = pair
    passed = 0
    for target, place, text in itertools.product(TARGETS, PLACES, TOKENS):
        if "{}" in target and place:
            place = {name: value.format(GOOD) for name, value in place.items()}
        fields = {name: value.format(text) for name, value in place.items()}
        asked = front(target.format(text), fields)
        mine, its = await asyncio.gather(ask(quick, *asked), ask(slow, *asked))
        assert mine == its, (asked, mine, its)
        passed += its[0] == "HTTP/1.1 200 OK"
    assert 0 < porter.passed <= passed
    assert porter.passed > passed / 4


async def test_the_porter_answers_each_front(pair):
    quick, _, porter = pair
    for front in (nginx, forwarded, envoy):
        before = porter.passed
        for target in ("/live/a?CAT={}", "/cat:{}/live/a"):
            assert (await ask(quick, *front(target.format(GOOD), {})))[0] == "HTTP/1.1 200 OK"
        assert porter.passed == before + 2


async def test_doubt_is_the_handler_s(pair):
    quick, slow, porter = pair
    target, fields = nginx(f"/live/a?CAT={GOOD}", {})
    for more in (
        [("X-Original-URL", f"https://cdn.example/other?CAT={GOOD}")],
        [("CTA-Common-Access-Token", GOOD), ("CTA-Common-Access-Token", GOOD)],
        [("X-Client-ALPN", "\u00e9")],
        [("X-Original-Method", "POST")],
    ):
        asked = target, [*fields, *more]
        before = porter.passed
        assert await ask(quick, *asked) == await ask(slow, *asked)
        assert porter.passed == before
    long = nginx(f"/live/{'a' * 9000}?CAT={GOOD}", {})
    assert await ask(quick, *long) == await ask(slow, *long)


async def test_another_key_set_takes_effect_at_once(pair):
    quick, _, porter = pair
    asked = nginx(f"/live/a?CAT={GOOD}", {})
    before = porter.passed
    porter.use(cat.Verifier(cat.KeySet.from_json([cat.generate("HS256", "k")]), OPTIONS))
    await ask(quick, *asked)
    porter.use(None)
    await ask(quick, *asked)
    assert porter.passed == before


async def test_configured_carriers(pair):
    """CAT-90: a token in a header, parameter or cookie of a name of ours, and nowhere else."""
    names = cat.Names(("x-cat",), ("token",), ("session",))
    options = cat.Options(issuers=("me",), names=names)
    standing, porter = cat.Verifier(KEYS, options), Porter(accepted, time.time)
    porter.use(standing)
    part = Verifying(
        standing.verify_any, time.time, host="127.0.0.1", port=0, porter=porter, names=names
    )
    await part.start()
    text = token(catu={"query": {"exact": "q=1"}})
    for target, fields in (
        ("/live/a?q=1", {"X-Cat": text}),
        (f"/live/a?Token={text}&q=1", {}),
        ("/live/a?q=1", {"Cookie": f"a=b; session={text}"}),
    ):
        for front in (nginx, envoy):
            asked = front(target, fields)
            assert (await ask(part.port, *asked))[0] == "HTTP/1.1 200 OK"
            assert (await ask(pair[0], *asked))[0] == "HTTP/1.1 401 Unauthorized"
    await part.stop()
