"""The guide as XMLTV reads back to the same schedule (control-api section 3; XMLTV DTD)."""

import io
from itertools import pairwise
from typing import Any

import aiohttp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree
from sqlalchemy import insert, select, update

from control_api.epg import export, importer, store
from control_api.epg.normalise import Target, normalise
from control_api.epg.programme import Event, Words
from control_api.epg.xmltv import Reader
from control_api.guide import xmltv
from control_api.schema import channel, epg_event
from control_api.times import now_ms, utc

HOUR_MS = 3_600_000
CHARACTERS = st.characters(exclude_categories=("Cs",))
WILD = st.text(CHARACTERS, max_size=20).map(lambda text: f"<&\"'>]]>\r\n\t{text}é")
CRIDS = st.none() | st.from_regex(r"\Acrid://[a-z.]{1,20}/[\x21-\x7e]{1,20}\Z")
NUMBERS = st.none() | st.integers(1, 100_000)


def words() -> st.SearchStrategy[Words]:
    some = WILD.map(_as_read)
    return st.builds(Words, some, st.none() | some, st.none() | some)


def _as_read(text: str) -> str:
    """What a stored text looks like: it came out of a file."""
    element = etree.Element("a")
    element.text = export.NO_CHARACTERS.sub("", text)
    row = f"<tv><programme><title>{etree.tostring(element, encoding='unicode')}</title>"
    read = next(iter(Reader(io.BytesIO(f"{row}</programme></tv>".encode()))))
    return read.titles["und"]


@st.composite
def schedules(draw: Any) -> list[Event]:
    at_ms, made = 1_700_000_000_000, []
    for _ in range(draw(st.integers(0, 4))):
        start_ms = at_ms + draw(st.integers(0, 3_600)) * 1_000
        at_ms = start_ms + draw(st.integers(1, 86_400)) * 1_000
        spoken = draw(
            st.dictionaries(st.sampled_from(("en", "fr", "zh-TW", "und")), words(), min_size=1)
        )
        flags = draw(st.sets(st.sampled_from(("live", "new", "premiere", "repeat"))))
        made.append(
            Event(
                start_ms,
                at_ms,
                "und" if "und" in spoken else draw(st.sampled_from(sorted(spoken))),
                spoken,
                draw(NUMBERS),
                draw(NUMBERS),
                draw(st.none() | st.from_regex(r"\A[A-Z0-9.]{1,30}\Z")),
                draw(CRIDS),
                draw(CRIDS),
                tuple(sorted(flags)),
            )
        )
    return made


@settings(max_examples=40, deadline=None)
@given(schedules())
def test_what_is_written_is_read_back(wanted: list[Event]) -> None:
    """Every language, id, number and flag; whatever the text."""
    raw = export.HEAD + b"".join(export.programme("ch", each) for each in wanted) + export.TAIL
    found, report = normalise(Reader(io.BytesIO(raw)), {"ch": Target("ch")})
    assert found.get("ch", []) == wanted
    assert report.gaps == sum(a.end_ms < b.start_ms for a, b in pairwise(wanted))


def test_what_xml_has_no_place_for_is_left_out() -> None:
    """XML 1.0 section 2.2; an event without a title still has that element, as the DTD wants."""
    event = Event(0, 1_000, "en", {"en": Words(None, "a\x00b\ufffe\x1b\x85")})
    element = etree.fromstring(export.programme('c"<', event))
    assert element.get("channel") == 'c"<'
    assert [(child.tag, child.text) for child in element] == [
        ("title", None),
        ("sub-title", "ab\x85"),
    ]


@pytest.fixture
async def guide(kept: Any, make_api: Any) -> Any:
    api = await make_api(kept, limits={"guide_file_per_min": 1_000})
    async with api.database.write() as connection:
        await store.source(connection, "src_x", lang="en")
        await store.map_channels(connection, "src_x", {"one": "demo"}, 1)
        named = {"name": 'Ä "& <B>', "logo_url": "/logo.png?a=1&b=2"}
        await connection.execute(update(channel).where(channel.c.id == "ch_demo").values(**named))
    return api


def row(start_ms: int, text: str) -> str:
    start, stop = (f"{utc(at):%Y%m%d%H%M%S}" for at in (start_ms, start_ms + HOUR_MS))
    return (
        f'<programme start="{start}" stop="{stop}" channel="one"><title lang="en">{text}</title>'
        f'<title lang="fr">Le {text}</title><desc lang="en">&lt;i&gt; &amp; {text}</desc>'
        f'<episode-num system="xmltv_ns">1.2.</episode-num><live/></programme>'
    )


async def file(api: Any, query: str) -> tuple[bytes, aiohttp.ClientResponse]:
    async with api.client.get(f"{api.url}/v1/epg/xmltv?{query}") as answer:
        return await answer.read(), answer


def at(at_ms: int) -> str:
    return f"{utc(at_ms):%Y-%m-%dT%H:%M:%SZ}"


async def stored(api: Any, channel_id: str) -> list[tuple[Any, ...]]:
    query = select(epg_event.c.start_ms, epg_event.c.end_ms, epg_event.c.hash)
    query = query.where(epg_event.c.channel_id == channel_id).order_by(epg_event.c.start_ms)
    async with api.database.read() as connection:
        return [tuple(each) for each in await connection.execute(query)]


async def test_an_import_of_the_file_makes_the_same_guide(
    guide: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CTL-64's hash of every event, on another channel, from another source; piece by piece."""
    monkeypatch.setattr(xmltv, "PIECE", 3)
    first_ms = now_ms() // 1_000 * 1_000
    rows = [row(first_ms + n * HOUR_MS, f"T{n}") for n in range(10)]
    await importer.run(
        guide.database, "src_x", io.BytesIO(f"<tv>{''.join(rows)}</tv>".encode()), now_ms
    )
    until = at(first_ms + 30 * HOUR_MS)
    raw, answer = await file(guide, f"channels=ch_demo&from={at(first_ms)}&to={until}")
    assert (answer.status, answer.content_type) == (200, "application/xml")
    async with guide.database.write() as connection:
        old = (await connection.execute(select(channel).where(channel.c.id == "ch_demo"))).one()
        twin = {**old._mapping, "id": "ch_twin", "slug": "twin", "number": 77}
        await connection.execute(insert(channel).values(twin))
        await store.source(connection, "src_y", lang="und")
        await store.map_channels(connection, "src_y", {"ch_demo": "twin"}, 1)
    outcome = await importer.run(guide.database, "src_y", io.BytesIO(raw), now_ms)
    assert outcome.channels == {"ch_demo": ['Ä "& <B>']}
    assert await stored(guide, "ch_twin") == await stored(guide, "ch_demo") != []


async def test_only_what_was_asked_for(guide: Any) -> None:
    """Programmes that touch the time, whole; one language; published channels; sane questions."""
    first_ms = now_ms() // 1_000 * 1_000
    rows = [row(first_ms + n * HOUR_MS, f"T{n}") for n in range(4)]
    await importer.run(
        guide.database, "src_x", io.BytesIO(f"<tv>{''.join(rows)}</tv>".encode()), now_ms
    )
    half_past, later = at(first_ms + HOUR_MS * 3 // 2), at(first_ms + 3 * HOUR_MS)
    raw, _ = await file(guide, f"channels=ch_demo,ch_none&from={half_past}&to={later}&lang=fr")
    tree = etree.fromstring(raw)
    assert [each.text for each in tree.iter("title")] == ["Le T1", "Le T2"]
    assert [each.get("id") for each in tree.iter("channel")] == ["ch_demo"]
    assert tree.find("channel/icon").get("src") == "/logo.png?a=1&b=2"
    for query in (
        f"from={half_past}&to={half_past}",
        f"from={half_past}&to={at(first_ms + 200 * HOUR_MS)}",
        "channels=" + ",".join(f"c{n}" for n in range(101)),
    ):
        _, answer = await file(guide, query)
        assert answer.status == 400, query
    async with guide.database.write() as connection:
        await connection.execute(update(channel).values(status="archived"))
    raw, _ = await file(guide, f"from={half_past}&to={later}")
    assert len(etree.fromstring(raw)) == 0
