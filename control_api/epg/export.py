"""The guide as XMLTV: what our importer, or anybody's, reads back to the same schedule.

Source: XMLTV DTD, elements in its order; `live` is of those that came after it. Of an event all
languages are written, the default one first, since that is what a source without a language takes
for it, and its ids under the systems that `episodes` reads. That a time is approximate has no name
in XMLTV, and times are whole seconds there.
"""

import re
from collections.abc import Iterator
from typing import Any

from lxml import etree

from control_api.epg.programme import UNKNOWN_LANG, Event, Words
from control_api.times import utc

MEDIA_TYPE = "application/xml"
HEAD = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE tv SYSTEM "xmltv.dtd">\n'
    b'<tv generator-info-name="Headwater">\n'
)
TAIL = b"</tv>\n"
# What XML 1.0 section 2.2 has no place for.
NO_CHARACTERS = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

TEXTS = (("title", "title"), ("sub-title", "sub_title"), ("desc", "descr"))
IDS = (("dd_progid", "ext_id"), ("crid", "crid"), ("series-crid", "series_crid"))
FLAGS = (("previously-shown", "repeat"), ("premiere", "premiere"), ("new", "new"), ("live", "live"))


def channel(row: Any) -> bytes:
    """A row of channel; its id is the one that programmes name."""
    made = etree.Element("channel", id=row.id)
    _say(made, "display-name", row.name or row.slug, {})
    if row.logo_url is not None:
        etree.SubElement(made, "icon", src=_clean(row.logo_url))
    return _written(made)


def programme(channel_id: str, event: Event, lang: str | None = None) -> bytes:
    """An event of a channel, in one language if it has that and in all of them otherwise."""
    made = etree.Element(
        "programme",
        start=_time(event.start_ms),
        stop=_time(event.end_ms),
        channel=channel_id,
    )
    spoken = list(_spoken(event, lang))
    for tag, name in TEXTS:
        for each, words in spoken:
            text = getattr(words, name)
            if text:
                _say(made, tag, text, {} if each == UNKNOWN_LANG else {"lang": each})
    if made.find("title") is None:
        made.insert(0, etree.Element("title"))
    if event.season_no is not None or event.episode_no is not None:
        _say(made, "episode-num", _number(event), {"system": "xmltv_ns"})
    for system, name in IDS:
        text = getattr(event, name)
        if text is not None:
            _say(made, "episode-num", text, {"system": system})
    for tag, flag in FLAGS:
        if flag in event.flags:
            etree.SubElement(made, tag)
    return _written(made)


def _spoken(event: Event, lang: str | None) -> Iterator[tuple[str, Words]]:
    if lang is not None and lang in event.words:
        yield lang, event.words[lang]
        return
    for each in sorted(event.words, key=lambda name: (name != event.lang, name)):
        yield each, event.words[each]


def _number(event: Event) -> str:
    """xmltv_ns counts from 0."""
    numbers = (event.season_no, event.episode_no)
    season, episode = ("" if number is None else str(number - 1) for number in numbers)
    return f"{season}.{episode}."


def _time(at_ms: int) -> str:
    return f"{utc(at_ms):%Y%m%d%H%M%S} +0000"


def _say(parent: Any, tag: str, text: str, attributes: dict[str, str]) -> None:
    etree.SubElement(parent, tag, attributes).text = _clean(text)


def _clean(text: str) -> str:
    return NO_CHARACTERS.sub("", text)


def _written(element: Any) -> bytes:
    raw: bytes = etree.tostring(element, encoding="utf-8", xml_declaration=False)
    return raw + b"\n"
