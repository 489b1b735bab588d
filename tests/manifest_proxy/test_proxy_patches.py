"""Patches from our MPDs to our next ones, where rules edit them (DASH-M15, dash.md P1..P6)."""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree
from origin_rigs.dash_rules import applied, canonical

import cat
from manifest_proxy import mpd_diff, patches
from manifest_proxy.errors import ManifestError
from manifest_proxy.mpd_diff import _selector, diff
from manifest_proxy.mpd_history import HELD_S, MAX_BYTES, History, published_ms
from manifest_proxy.mpd_patches import with_patches
from manifest_proxy.policy import Pathway, Policy
from manifest_proxy.rulebook import Chaos, Clip, DrmRule, Ruleset, Slate, Watermark
from manifest_proxy.server import Listener, parts
from manifest_proxy.settings import Settings
from manifest_proxy.urls import Url
from native.http import Answer, Entity, Request, serve

KEYS = cat.KeySet.from_json([cat.generate("HS256", "k1")])
NS = "urn:mpeg:dash:schema:mpd:2011"


def mpd(inner: str, second: int = 1, more: str = "") -> bytes:
    return (
        f'<?xml version="1.0"?>\n<MPD xmlns="{NS}" xmlns:x="urn:x" id="m" type="dynamic"'
        f' publishTime="2026-01-01T00:00:{second:02}Z"{more}>{inner}</MPD>'
    ).encode()


def agree(old: bytes, new: bytes) -> bytes:
    """The patch, which an engine of its own makes the new one of the old one with."""
    patch = diff(old, new)
    out = applied(etree.fromstring(old), etree.fromstring(patch))
    assert canonical(out) == canonical(etree.fromstring(new)), patch
    return patch


def timeline(runs: list[tuple[int, int]], first: int) -> str:
    """Runs of (size, count), the first at the time `first`."""
    told = "".join(f'<S d="{size}"' + (f' r="{n - 1}"/>' if n > 1 else "/>") for size, n in runs)
    told = told.replace("<S ", f'<S t="{first}" ', 1)
    return f'<SegmentTemplate startNumber="{first}"><SegmentTimeline>{told}</SegmentTimeline>'


@settings(max_examples=50)
@given(
    sizes=st.lists(st.sampled_from([2, 2, 2, 3]), min_size=2, max_size=30),
    cuts=st.tuples(*[st.integers(0, 29)] * 4),
)
def test_windows_of_one_timeline(sizes: list[int], cuts: tuple[int, ...]) -> None:
    """Whatever left, grew and came, in runs as an origin writes them (P3)."""

    def window(first: int, end: int, second: int) -> bytes:
        first %= len(sizes)
        some = sizes[first : first + 1 + end % len(sizes)]
        runs: list[tuple[int, int]] = []
        for size in some:
            if runs and runs[-1][0] == size:
                runs[-1] = size, runs[-1][1] + 1
            else:
                runs.append((size, 1))
        text = timeline(runs, sum(sizes[:first])) + "</SegmentTemplate>"
        rep = f'<Representation id="v">{text}</Representation>'
        return mpd(f'<Period id="1"><AdaptationSet id="2">{rep}</AdaptationSet></Period>', second)

    agree(window(*cuts[:2], 1), window(*cuts[2:], 2))


@settings(max_examples=50)
@given(
    old=st.lists(st.integers(0, 6), unique=True).map(sorted),
    new=st.lists(st.integers(0, 6), unique=True).map(sorted),
)
def test_periods_that_come_and_go(old: list[int], new: list[int]) -> None:
    def told(some: list[int], second: int) -> bytes:
        inner = "".join(
            f'<Period id="{n}">\n<BaseURL>{second if n % 2 else n}</BaseURL></Period>' for n in some
        )
        return mpd(f"<BaseURL>a</BaseURL><BaseURL>b</BaseURL>{inner}<UTCTiming/>", second)

    agree(told(old, 1), told(new, 2))


def test_the_bytes_of_a_patch() -> None:
    """P1, P2; a new S stands behind the others, as Shaka reads it."""
    head = '<Period id="p"><AdaptationSet id="1"><Representation id="v">'
    tail = "</SegmentTemplate></Representation></AdaptationSet></Period>"
    old = mpd(head + timeline([(2, 3), (3, 1)], 4) + tail, 1)
    new = mpd(head + timeline([(2, 2), (3, 2), (5, 1)], 6) + tail, 2)
    sel = "/MPD/Period[@id='p']/AdaptationSet[@id='1']/Representation[@id='v']/SegmentTemplate"
    assert agree(old, new).decode().splitlines() == [
        '<?xml version="1.0" encoding="UTF-8"?>',
        '<Patch xmlns="urn:mpeg:dash:schema:mpd-patch:2020" xmlns:x="urn:x" mpdId="m"'
        ' originalPublishTime="2026-01-01T00:00:01Z" publishTime="2026-01-01T00:00:02Z">',
        '<replace sel="/MPD/@publishTime">2026-01-01T00:00:02Z</replace>',
        f'<replace sel="{sel}/@startNumber">6</replace>',
        f'<replace sel="{sel}/SegmentTimeline/S[1]"><S t="6" d="2" r="1"/></replace>',
        f'<add sel="{sel}/SegmentTimeline"><S d="5"/></add>',
        f'<replace sel="{sel}/SegmentTimeline/S[2]"><S d="3" r="1"/></replace>',
        "</Patch>",
    ]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('<Period id="1"><x:e a="1"/></Period>', '<Period id="1"><x:e a="2"/></Period>'),
        ('<Period id="1"><x:e a="1"/></Period>', '<Period id="1"/>'),
        ('<Period id="1"><a/><b id="2"/></Period>', '<Period id="1"><b id="2"/><a/></Period>'),
        ("<Location>a&amp;b</Location>", "<Location>a&amp;c</Location>"),
        ("<Period id='1' duration='\"'/>", '<Period id="1" start="&lt;"/>'),
        ('<Period id="it&apos;s"/>', '<Period id="it&apos;s" start="1"/>'),
        ('<Period id="1"><e a="1"/></Period>', '<Period id="1"><x:e a="1"/></Period>'),
        ('<Period id="1"><x:e/><e a="1"/></Period>', '<Period id="1"><x:e/><e a="2"/></Period>'),
        ('<Period id="1"><e id="2"/><e id="2"/></Period>', '<Period id="1"><e id="2"/></Period>'),
    ],
)
def test_what_has_no_selector_is_replaced_with_its_parent(old: str, new: str) -> None:
    agree(mpd(old), mpd(new, 2))


def test_attributes_go_in_the_order_that_they_had() -> None:
    """The same on every node, whatever seeds its hashes."""
    names = [f"a{n}" for n in range(12)]
    had = " ".join(f'{name}="1"' for name in names)
    patch = agree(mpd(f'<Period id="1" {had}/>'), mpd('<Period id="1"/>', 2))
    assert re.findall(rb'<remove sel="/MPD/Period\[@id=\'1\'\]/@(\w+)"/>', patch) == [
        name.encode() for name in names
    ]


def test_only_what_changed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name tells a place among siblings: counted for all at once, not for each that stayed."""
    named: list[object] = []

    def selector(*told: Any) -> str:
        named.append(told)
        return _selector(*told)

    monkeypatch.setattr(mpd_diff, "_selector", selector)

    def listed(first: int, second: int) -> bytes:
        urls = "".join(f'<SegmentURL media="{n}"/>' for n in range(first, first + 400))
        return mpd(f'<Period id="1"><SegmentList>{urls}</SegmentList></Period>', second)

    new = listed(1, 2).replace(b'media="7"', b'media="7" mediaRange="1-2"')
    patch = agree(listed(0, 1), new)
    assert b'SegmentURL[7]" type="@mediaRange">1-2</add>' in patch
    assert len(named) <= 5, "the Period, its list, and three of its URLs"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (mpd('<Period id="1"/><Period id="2"/>'), mpd('<Period id="2"/><Period id="1"/>')),
        (mpd("").replace(b'id="m"', b""), mpd("")),
        (mpd(""), mpd("").replace(b'id="m"', b'id="n"')),
        (mpd("").replace(b"publishTime", b"p"), mpd("").replace(b"publishTime", b"p")),
    ],
)
def test_some_mpds_have_no_patch(old: bytes, new: bytes) -> None:
    with pytest.raises(ManifestError) as told:
        diff(old, new)
    assert told.value.status == 410


def test_what_is_known_of_the_past_is_bounded() -> None:
    history = History()
    for second in range(3):
        history.note("/x", mpd("", second), float(second))
    first_ms = published_ms(mpd("", 0)) or 0
    assert history.at("/x", first_ms) == mpd("", 0) and history.at("/y", first_ms) is None
    history.note("/x", mpd("", 9), HELD_S + 0.5)
    assert history.at("/x", first_ms) is None and history.at("/x", first_ms + 1000)
    history.note("/x", mpd("y" * MAX_BYTES, 10), HELD_S + 1.0)
    assert history.at("/x", first_ms + 9000) is None
    assert published_ms(mpd("").replace(b"00:00:01Z", b"00:00:01.5")) == first_ms + 1500
    assert published_ms(b"<MPD>") is published_ms(mpd("").replace(b"2026", b"x")) is None


def test_nothing_leads_on_where_nothing_comes() -> None:
    """P6; nor from an MPD without an id, nor where no proxy is asked again."""
    policy = Policy((Pathway("A", "http://a"),), refresh_url="http://p")
    url = Url.parse("http://o/live/x.mpd?start=1")
    shared = timeline([(2, 1)], 0) + "</SegmentTemplate><Representation/><Representation/>"
    data, led = with_patches(mpd("<Location>l</Location><Period/>"), url, policy, "0af")
    assert led.patches and b'</Location><PatchLocation ttl="60">x.mpd~17672256010' in data
    assert b"00-0af.mpp?start=1</PatchLocation>" in data
    for other, rule in (
        (mpd("").replace(b"dynamic", b"static"), policy),
        (mpd("").replace(b'id="m"', b""), policy),
        (mpd("").replace(b"publishTime", b"p"), policy),
        (mpd(""), Policy(policy.pathways)),
        (mpd(f'<Period id="1"><AdaptationSet>{shared}</AdaptationSet></Period>'), policy),
        (mpd(f'<Period id="1">{shared}</Period>'), policy),
    ):
        assert with_patches(other, url, rule, "0af") == (other, rule)


# -- over sockets ----------------------------------------------------------------------------------

RULES = """[[rules]]
name = "r"
paths = ["/live/*"]
video = { height = "..720" }
"""


class Town:
    def __init__(self) -> None:
        self.second = 1
        self.asked = 0
        self.bases: list[str] = []
        self.client: aiohttp.ClientSession

    def origin(self, request: Request) -> Answer:
        self.asked += 1
        text = timeline([(2, self.second)], 0) + "</SegmentTemplate></Representation>"
        reps = "".join(f'<Representation id="{h}" height="{h}">{text}' for h in (360, 720, 1080))
        inner = f'<Period id="1"><AdaptationSet id="2" contentType="video">{reps}'
        body = mpd(inner + "</AdaptationSet></Period>", self.second)
        return Entity(body, content_type="text/plain", cache_control="max-age=0")

    async def get(self, url: str, node: int = 0) -> tuple[int, bytes]:
        path = url.replace("http://localhost:8003", "").replace("&amp;", "&")
        async with self.client.get(self.bases[node] + path) as answer:
            return answer.status, await answer.read()


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[Callable[..., Any]]:
    @asynccontextmanager
    async def run() -> AsyncIterator[Town]:
        place = Town()
        (tmp_path / "r.toml").write_text(RULES)
        async with AsyncExitStack() as stack:
            server = await serve(place.origin, host="127.0.0.1", port=0)
            stack.push_async_callback(server.close)
            for _ in range(2):
                settings = Settings(
                    port=0,
                    origin_url=f"http://127.0.0.1:{server.port}",
                    steering_url="http://steer",
                    rules_file=tmp_path / "r.toml",
                )
                running = parts(settings, KEYS, issuers=("h",))
                for part in running:
                    await part.start()
                    stack.push_async_callback(part.stop)
                listener = running[-1]
                assert isinstance(listener, Listener)
                place.bases.append(f"http://127.0.0.1:{listener.port}")
            place.client = await stack.enter_async_context(aiohttp.ClientSession())
            yield place

    yield run


def token(cti: bytes) -> str:
    claims: dict[str | int, object] = {"iss": "h", "exp": int(time.time()) + 900, "cti": cti}
    return cat.issue(claims, KEYS.signer())


def location(text: bytes) -> str:
    return etree.fromstring(text).findtext(f"{{{NS}}}PatchLocation") or ""


async def test_nodes_make_the_same_patch_for_each_token(
    town: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P3..P5: ours to ours on either node; 425 and 410 for times that are not ours to begin at."""
    monkeypatch.setattr(patches, "HOLD_S", 0.0)
    mine, next_one = token(b"a"), token(b"b")
    async with town() as place:
        url = f"/p/CDN-A/cat:{mine}/live/x.mpd"
        (_, old), (_, again) = await place.get(url), await place.get(url, 1)
        assert old == again and b"1080" not in old
        assert (await place.get(location(old)))[0] == 425, "nothing newer came"
        monkeypatch.setattr(patches, "HOLD_S", 60.0)
        waiting, before = asyncio.create_task(place.get(location(old))), place.asked
        async with asyncio.timeout(60):
            while place.asked < before + 3 and not waiting.done():
                await asyncio.sleep(0.01)
        assert not waiting.done()
        place.second = 4
        status, held = await waiting
        assert status == 200, "who has the newest waits for the next"
        for node in (0, 1):
            status, text = await place.get(location(old), node)
            assert (status, text) == (200, held)
        _, new = await place.get(url)
        out = applied(etree.fromstring(old), etree.fromstring(held))
        assert canonical(out) == canonical(etree.fromstring(new))
        _, other = await place.get(location(old).replace(mine, next_one))
        assert other == held.replace(mine.encode(), next_one.encode()) != held
        for since, status in ((1, 410), (9 * 10**14, 425)):
            gone = re.sub("~[0-9]+-", f"~{since}-", location(old))
            assert gone != location(old) and (await place.get(gone))[0] == status
        assert (await place.get(location(old).replace(mine, "x")))[0] == 401


async def test_no_patch_leads_from_rules_to_others(town: Any, tmp_path: Path) -> None:
    """An MPD made by rules that are gone is no longer what a patch says that it begins with."""
    mine = token(b"a")
    url = f"/p/CDN-A/cat:{mine}/live/x.mpd"
    async with town() as place:
        _, old = await place.get(url)
        narrow = old
        (tmp_path / "r.toml").write_text(RULES.replace("720", "360"))
        async with asyncio.timeout(60):
            while narrow == old:
                await asyncio.sleep(0.01)
                _, narrow = await place.get(url)
        assert b'id="720"' in old and b'id="720"' not in narrow
        assert location(old) != location(narrow)
        place.second = 3
        _, new = await place.get(url)
        status, text = await place.get(location(old))
        assert status == 410 and b"patch_gone" in text
        status, text = await place.get(location(narrow))
        assert status == 200
        out = applied(etree.fromstring(narrow), etree.fromstring(text))
        assert canonical(out) == canonical(etree.fromstring(new))


def test_patches_are_offered_where_they_fit() -> None:
    """DASH-M15: not between clips, whose Periods have no publishTime, and not for lists."""
    cut = Ruleset("r", window_s=60)
    assert cut.patched and Ruleset("r", drm=DrmRule(("widevine",))).patched
    fitting = {"slate": Slate("/s"), "session_data": (), "carrier": "query"}
    for name, value in fitting.items():
        assert msgspec.structs.replace(cut, **{name: value}).patched, name
    others = {
        "window_s": None,
        "bumper": Clip("/b"),
        "slate": Slate("/s", after_targets=2),
        "watermark": Watermark(),
        "chaos": (Chaos(status=404),),
    }
    for name, value in others.items():
        assert not msgspec.structs.replace(cut, **{name: value}).patched, name
