"""Which titles there are: a folder each in {data_dir}/origin/vod, with a record and the indexes."""

import re
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from origin.vod import messages, sheets
from origin.vod.chapters import Chapter
from origin.vod.errors import VodError
from origin.vod.index import save
from origin.vod.texts import Saved

TITLE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.~-]{0,127}")
RECORD = "title.json"
POLICY = "protection.json"  # of a title that is protected


@dataclass(frozen=True, slots=True)
class Record:
    """A registered title; times are rationals in seconds."""

    title: str
    inputs: list[str]
    indexes: list[str]
    duration_s: str
    segment_s: str
    texts: list[Saved] = field(default_factory=list)
    thumbnails: sheets.Saved | None = None
    chapters: list[Chapter] = field(default_factory=list)
    events: list[messages.Saved] = field(default_factory=list)


def title_name(title: str) -> str:
    """A title that is safe as a folder and in a URL, or VodError `bad_title`."""
    if not TITLE.fullmatch(title) or ".." in title:
        raise VodError("bad_title", title[:40], "a title has 1..128 of A-Z a-z 0-9 _ . ~ -")
    return title


def folder(data_dir: Path, title: str) -> Path:
    return data_dir / "origin" / "vod" / title_name(title)


def save_record(home: Path, record: Record) -> None:
    save(home / RECORD, msgspec.json.encode(record))


def load_record(home: Path) -> Record | None:
    """The record of a title, None if there is no such title."""
    try:
        data = (home / RECORD).read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        return msgspec.json.decode(data, type=Record)
    except ValueError as error:
        raise VodError("unreadable", home.name, f"{RECORD}: {error}") from error
