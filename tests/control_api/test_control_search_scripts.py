"""Words of every script are whole, and asked for as they are stored (CTL-143)."""

import unicodedata
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import insert, select

from control_api.catalogue import found
from control_api.catalogue.tables import credit
from control_api.migrations import LOCATION
from control_api.schema import (
    channel,
    content,
    content_text,
    epg_event,
    epg_event_text,
    epg_source,
    rights_window,
)
from control_api.search import engines, handlers, index
from control_api.search.tables import search_entry, search_word
from control_api.search.words import UNSPACED, folded, further
from runtime.sql import Database

PROGRAMMES = 250
HINDI = "हिन्दी मीडियम"
PEOPLE = ("इरफ़ान ख़ान", "Saba Qamar")
PLACE = {"territory": "SE", "now_ms": 1}
# Titles, and what finds each alone: words and halves of them, parts of what knows no spaces, typos.
TITLES = {
    HINDI: ["हिन्दी", "हिन्द", "मीडियम", "मिडियम", "हिन्\u200dदी"],
    "ज़िंदगी ना मिलेगी दोबारा": ["जिंदगी", "ज़िंदगी", "दोबारा मिलेगी", "दो"],
    "पथेर पांचाली": ["पथेर", "पांचा", "पांचली"],
    "পথের পাঁচালী": ["পথের", "পাঁচালী", "পাঁচলী"],
    "பொன்னியின் செல்வன்": ["பொன்னியின்", "செல்", "பொன்னயின்"],
    "బాహుబలి": ["బాహు", "బాహబలి"],
    "ශ්\u200dරී සිද්ධ": ["ශ්\u200dරී", "ශ්රී", "සිද්ධ"],
    "พี่มาก..พระโขนง": ["พี่มาก", "พระโขนง", "โขนง", "มาก"],
    "น้ำตาลไหม้": ["น้ำ", "น้ำตาล", "ไหม้", "ตาลไหม้"],
    "ไหมไทย": ["ไหมไ", "ไทย"],
    "ភាសាខ្មែរ": ["ភាសា", "ខ្មែរ", "ភាសា\u200bខ្មែរ"],
    "រឿង\u200bក្រពើ\u200bចរកា": ["ក្រពើ", "រឿងក្រពើ", "ចរកា"],
    "ສະບາຍດີ ຫຼວງພະບາງ": ["ສະບາຍດີ", "ຫຼວງພະບາງ", "ພະບາງ"],
    "မြန်မာ့ရုပ်ရှင်": ["မြန်မာ", "ရုပ်ရှင်"],
    "བོད་ཀྱི་དམངས": ["བོད", "དམངས"],
    "千と千尋の神隠し": ["千と", "千尋", "神隠し"],
    "代々木公園": ["代々木", "木公園", "公園"],
    "2001年宇宙の旅": ["2001年", "年宇宙", "宇宙の旅"],
    "機動戦士ガンダム": ["ガンダム", "ダム", "ｶﾞﾝﾀﾞﾑ", "カ\u3099ンタ\u3099"],
    "カンバン娘": ["カン", "バン", "カンバン"],
    "臥虎藏龍": ["臥虎", "藏龍", "虎藏"],
    "기생충": ["기생", "기생충", "기생ㅊ", "기샹충"],
    "Đất rừng phương Nam": ["Đất", "dat rung", "phuong", "phươnk"],
    "שְׁטִיסֶל": ["שטיסל", "שְׁטִיסֶל", "שטי"],
    "وَدَاعًا يا بُونابَرت": ["وداعا", "وَدَاعًا", "بونابرت", "بونبرت", "ودـــاعا"],
    "Ζορμπάς ὁ Ἕλληνας": ["ζορμπας", "ΖΟΡΜΠΆΣ", "ελληνας"],
    "Ёлки": ["елки", "ЁЛКИ"],
    "Le fabuleux destin d\u2019Amélie": ["amélie", "ame\u0301lie", "amelei"],
}  # fmt: skip


async def plant(database: Database) -> None:
    """A published title each."""
    window = {"end_ms": 10**13, "territory": "**", "licence": "free", "platform": "*"}
    async with database.write() as connection:
        for key in TITLES:
            row = {"id": key, "kind": "movie", "status": "published", "updated_ms": 1}
            await connection.execute(insert(content).values(row))
            spoken = {"content_id": key, "lang": "und", "title": key, "sort_title": key}
            await connection.execute(insert(content_text).values(spoken))
            always = window | {"id": key, "content_id": key, "start_ms": 0}
            await connection.execute(insert(rights_window).values(always))
        for n, name in enumerate(PEOPLE):
            row = {"content_id": HINDI, "pos": n, "name": name, "role": "actor"}
            await connection.execute(insert(credit).values(row))
    assert await found.fill(database) == len(TITLES)


async def hits(database: Database, q: str) -> list[str]:
    async with database.read() as connection:
        answer = await handlers.find(connection, q, PLACE, {})
    return [hit.row.label for hit in answer.hits]


async def test_titles_of_every_script(migrated: Database) -> None:
    await plant(migrated)
    asked = [(q, title) for title, questions in TITLES.items() for q in questions]
    wrong = {q: told for q, title in asked if (told := await hits(migrated, q)) != [title]}
    assert wrong == {}
    asked = [(q, title) for title in TITLES for q in (*title.split(), *folded(title))]
    wrong = {q: told for q, title in asked if title not in (told := await hits(migrated, q))}
    assert wrong == {}
    async with migrated.read() as connection:
        answer = await handlers.find(connection, "기샹충", PLACE, {})
    assert answer.corrected == "\uae30\uc0dd\ucda9", "in syllables"


async def test_a_word_that_begins_many_is_found_itself(migrated: Database) -> None:
    """However much commoner they are."""
    others = [f"Her{letter}{more}" for letter in "abcdefgh" for more in "aeiou"]
    async with migrated.write() as connection:
        names = enumerate(["Her", *others, *others])
        entries = [index.Entry(f"e{n}", "programme", each, (each,)) for n, each in names]
        await index.put(connection, entries)
    assert (await hits(migrated, "her"))[0] == "Her"


SPELT = "".join(TITLES) + "\u0301\u0327\u05b0\u064f\u093c\u094d\u0e48\u3099\u200c\u200d-'\u2019 "


@given(st.text(st.sampled_from(SPELT), max_size=30))
def test_a_word_is_stored_as_it_is_asked_for(title: str) -> None:
    """However it is composed; and every part of what knows no spaces begins one."""
    words = folded(title)
    for form in ("NFC", "NFD"):
        assert folded(unicodedata.normalize(form, title)) == words
    stored = [*words, *further([title])]
    assert [folded(word) for word in stored] == [[word] for word in stored]
    for word in words:
        for run in UNSPACED.finditer(word):
            letters = [at for at in range(*run.span()) if word[at].isalnum()]
            assert all(any(each.startswith(word[at:]) for each in stored) for at in letters)


async def broadcast(database: Database) -> None:
    """More programmes than are derived at once, a channel, and a target that is not there."""
    shown = {"slug": "three", "name": "ช่องสาม", "number": 9, "status": "published"}
    event = {"channel_id": "ch", "source_id": "s", "lang": "th", "hash": "h"}
    entries = [
        found.channel_by("ch", shown["slug"], shown["name"]),
        index.Entry("gone", "movie", "ไหม", ("ไหม",)),
    ]
    async with database.write() as connection:
        await connection.execute(insert(channel).values(id="ch", **shown))
        await connection.execute(insert(epg_source).values(id="s", format="xmltv"))
        for n in range(PROGRAMMES):
            key, title = f"e{n}", f"รอบพิเศษ ตอนที่ {n}"
            at = {"id": key, "start_ms": 10 * n, "end_ms": 10 * n + 10}
            await connection.execute(insert(epg_event).values(event | at))
            for lang, *words in (("de", "Spezial", None), ("th", title, "ไหมไทย")):
                row = dict(zip(("title", "sub_title"), words, strict=True))
                row |= {"event_id": key, "lang": lang}
                await connection.execute(insert(epg_event_text).values(row))
            entries.append(
                index.Entry(key, "programme", title, (title, "Spezial"), (), ("ไหมไทย",))
            )
        await index.put(connection, entries)


async def told(database: Database) -> dict[str, tuple[str, str, str]]:
    """What every entry is found by; its words are those that are counted."""
    entry = search_entry.c
    async with database.read() as connection:
        query = select(entry.target_id, entry.title, entry.people, entry.words)
        entries = {key: tuple(rest) for key, *rest in await connection.execute(query)}
        query = select(search_word).where(search_word.c.n != 0)
        counts = {row.word: row.n for row in await connection.execute(query)}
    assert counts == Counter(word for *_, words in entries.values() for word in words.split())
    return entries


async def test_what_is_there_is_derived_anew(migrated: Database) -> None:
    """Down as the older release cut words, and up as they would be put now."""
    await plant(migrated)
    await broadcast(migrated)
    now = await told(migrated)
    await migrated.downgrade(LOCATION, "v0044")
    before = await told(migrated)
    assert before.keys() == now.keys()
    assert before[HINDI][:2] == ("ह नद म ड यम", "इरफ न ख saba qamar")
    assert before["ch"][:2] == ("ชองสาม three", "")
    assert before["gone"] == now["gone"]
    async with migrated.read() as connection:
        rows = await engines.candidates(connection, [["यम"], ["qamar"]], PLACE, {})
    assert [row.label for row in rows] == [HINDI]
    await migrated.upgrade(LOCATION)
    assert await told(migrated) == now
    for title, questions in TITLES.items():
        assert title in await hits(migrated, questions[0])
    assert len(await hits(migrated, "พิเศษ")) == PROGRAMMES
    assert await hits(migrated, "ช่อง") == ["ช่องสาม"]
