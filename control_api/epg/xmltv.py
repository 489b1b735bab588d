"""XMLTV as a stream: channels and programmes one by one, never the whole tree (CTL-53..58).

DTD, entities and network are off. What the DTD does not know has no effect (CTL-57). Memory is
bounded by one top-level element, which may not exceed `Limits.element_bytes`.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

from lxml import etree

from control_api.epg import feed
from control_api.epg.errors import EpgError
from control_api.epg.feed import LIMITS, Limits
from control_api.epg.programme import UNKNOWN_LANG, Programme

TITLE_CHARS = 1_000
DESCR_CHARS = 8_000
MAX_LANGS = 32
MAX_IDS = 16
LANG = re.compile(r"[A-Za-z0-9-]{1,35}")
LENGTH_S = {"seconds": 1, "minutes": 60, "hours": 3_600}
FLAGS = {"new": "new", "premiere": "premiere", "previously-shown": "repeat", "live": "live"}
TEXTS = {"title": TITLE_CHARS, "sub-title": TITLE_CHARS, "desc": DESCR_CHARS}

Progress = Callable[[int], None]


class Reader:
    """Iterate once for the programmes; `channels` (id -> display names) is complete afterwards.

    A file that is not well-formed to its end raises at its end, so nothing may be stored before
    (CTL-61). `progress` is told the number of unpacked bytes of each chunk.
    """

    def __init__(
        self, stream: BinaryIO, limits: Limits = LIMITS, progress: Progress | None = None
    ) -> None:
        self._stream = stream
        self._limits = limits
        self._progress = progress
        self._encoding = feed.encoding(stream, limits)
        self.encoding_overridden = self._encoding.overridden
        self.channels: dict[str, list[str]] = {}

    def __iter__(self) -> Iterator[Programme]:
        parser = etree.XMLPullParser(
            events=("end",),
            tag=("channel", "programme"),
            encoding=self._encoding.name,
            resolve_entities=False,
            load_dtd=False,
            no_network=True,
            huge_tree=False,
            remove_comments=True,
            remove_pis=True,
        )
        since_element, checked = 0, False
        try:
            for chunk in feed.chunks(self._stream, self._limits):
                parser.feed(chunk)
                since_element += len(chunk)
                for _, element in parser.read_events():
                    root = element.getparent()
                    if root is None or root.getparent() is not None:
                        continue
                    since_element = 0
                    if not checked:
                        checked = _checked(root)
                    if element.tag == "programme":
                        yield programme(element)
                    else:
                        self._declare(element)
                    _forget(root, element)
                if since_element > self._limits.element_bytes:
                    raise EpgError("too_large", "an element has no end in sight")
                if self._progress is not None:
                    self._progress(len(chunk))
            _checked(parser.close())
        except etree.XMLSyntaxError as error:
            raise EpgError("not_well_formed", f"line {error.lineno}") from None

    def _declare(self, element: Any) -> None:
        names = [_text(child, TITLE_CHARS) for child in element if child.tag == "display-name"]
        self.channels[element.get("id", "")[:TITLE_CHARS]] = names[:MAX_LANGS]


def programme(element: Any) -> Programme:
    """One `<programme>` element."""
    texts: dict[str, dict[str, str]] = {name: {} for name in TEXTS}
    ids: list[tuple[str, str]] = []
    flags: set[str] = set()
    length_s = 0
    for child in element:
        tag = child.tag
        if tag in texts:
            found = texts[tag]
            lang = child.get("lang") or UNKNOWN_LANG
            if lang not in found and len(found) < MAX_LANGS and LANG.fullmatch(lang):
                text = _text(child, TEXTS[tag])
                if text:
                    found[lang] = text
        elif tag == "episode-num":
            if len(ids) < MAX_IDS:
                ids.append((child.get("system", "onscreen")[:64], _text(child, TITLE_CHARS)))
        elif tag == "length":
            length_s = _length_s(child)
        elif tag in FLAGS:
            flags.add(FLAGS[tag])
    get = element.get
    return Programme(
        channel=get("channel", ""),
        start=get("start", "")[:64],
        stop=get("stop", "")[:64],
        clump=get("clumpidx", "")[:16],
        length_s=length_s,
        titles=texts["title"],
        sub_titles=texts["sub-title"],
        descrs=texts["desc"],
        ids=tuple(ids),
        flags=tuple(sorted(flags)),
    )


def _text(element: Any, limit_chars: int) -> str:
    """Text in NFC (CTL-55); markup inside it is not part of it."""
    text = element.text if len(element) == 0 else "".join(element.itertext())
    if text is None:
        return ""
    text = text[:limit_chars].strip()
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def _length_s(element: Any) -> int:
    text = _text(element, 16)
    if not (text.isascii() and text.isdigit() and len(text) < 7):
        return 0
    return int(text) * LENGTH_S.get(element.get("units", ""), 0)


def _checked(root: Any) -> bool:
    """Refuse other documents, and entities of any kind."""
    if root.tag != "tv":
        raise EpgError("not_xmltv", "root element")
    subset = root.getroottree().docinfo.internalDTD
    if subset is not None and next(subset.iterentities(), None) is not None:
        raise EpgError("entities", "document type")
    return True


def _forget(root: Any, element: Any) -> None:
    """Free the element and all before it; its own shell stays, as the parser still points at it."""
    element.clear()
    while root[0] is not element:
        del root[0]
