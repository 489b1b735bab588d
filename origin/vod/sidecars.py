"""Subtitle files beside the films: whose language, and where their cues lie (TR-85, TR-88..93)."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from html import unescape
from pathlib import PurePosixPath

from origin import languages
from origin.text import subrip, ttml, vtt
from origin.text.document import MAX_BYTES, Document
from origin.text.errors import BadText
from origin.vod.errors import VodError
from origin.vod.reading import Objects, name_of, open_reader
from origin.vod.texts import Saved

READERS: dict[str, Callable[[bytes], Document]] = {
    ".srt": subrip.read,
    ".vtt": vtt.read,
    ".webvtt": vtt.read,
    ".ttml": ttml.read,
    ".xml": ttml.read,
    ".dfxp": ttml.read,
}
ROLES = {"forced": "forced-subtitle", "sdh": "caption", "cc": "caption"}
_TAG = re.compile(r"<[^<>]*>")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8})*")


def is_text(location: str) -> bool:
    """Whether an input is a subtitle file, by its name."""
    return PurePosixPath(location).suffix.lower() in READERS


@dataclass(frozen=True, slots=True)
class Sidecar:
    """A text track that was read; `notes` tell what was lost. One within an MP4 has no location."""

    location: str
    language: str
    roles: list[str]
    document: Document
    notes: list[str]

    @property
    def of_chapters(self) -> bool:
        """Whether it tells chapters: NAME.chapters.vtt."""
        return "chapters" in name_of(self.location).lower().split(".")[1:-1]

    @property
    def lines(self) -> list[tuple[int, str]]:
        """When each cue begins, in milliseconds, and what it says without its tags."""
        return [(c.start_ms, unescape(_TAG.sub("", c.text))) for c in self.document.cues]

    def saved(self, shift_s: Fraction, taken: set[str]) -> Saved:
        """The track under a name of its own; time 0 of the file is `shift_s` of the title."""
        stem = f"t-{self.language}"
        own, number = stem, 1
        while own in taken:
            number += 1
            own = f"{stem}-{number}"
        taken.add(own)
        shift = round(shift_s * 1000)
        cues = [
            (max(c.start_ms + shift, 0), c.end_ms + shift, c.text, c.id, c.settings)
            for c in self.document.cues
            if c.end_ms + shift > 0
        ]
        label = "" if number == 1 else own
        tag = languages.tag(self.language)
        return Saved(own, tag, self.roles, label, self.document.header, cues)


def read(location: str, objects: Objects | None) -> Sidecar:
    """A text track. NAME.LANGUAGE[.forced|.sdh|.cc].srt tells what it is; else the language is
    unknown. VodError `bad_text`.
    """
    name = name_of(location)
    reader = open_reader(location, objects)
    try:
        data = reader.read(0, MAX_BYTES + 1)
    finally:
        reader.close()
    try:
        document = READERS[PurePosixPath(name).suffix.lower()](data)
    except BadText as error:
        raise VodError("bad_text", name, error.detail) from error
    language, roles = _told(name)
    notes = [f"{name}: {note}" for note in document.notes]
    return Sidecar(reader.location, language, roles, document, notes)


def _told(name: str) -> tuple[str, list[str]]:
    """Language and roles of a file name."""
    language, roles = "und", []
    for part in name.split(".")[1:-1][-2:]:
        if part.lower() in ROLES:
            roles.append(ROLES[part.lower()])
        elif _LANGUAGE.fullmatch(part):
            language = part
    return language, roles or ["main"]
