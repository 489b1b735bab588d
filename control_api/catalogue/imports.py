"""Many entries in one file: JSON Lines or CSV in, what became of each row out.

A JSON line is a document with an `id`; without one it is the title that has one of its external
ids, or a new one. A CSV row has the columns of `COLUMNS` (any of them, in any
order); lists are joined by `|`. One row that is refused harms no other.
"""

import csv
import io
from collections.abc import Iterator
from typing import Any

import msgspec

from control_api import ids
from control_api.catalogue import documents, types
from control_api.catalogue.editor import Edit, owners, save
from control_api.problems import Problem

JSON_LINES, CSV = "application/x-ndjson", "text/csv"
MAX_ROWS = 1_000
MAX_BYTES = 8 << 20

WHOLE = ("season_no", "episode_no", "duration_ms", "year", "min_age")
LISTS = ("genres", "audio_langs", "subtitle_langs")
TEXT = ("lang", "title", "sort_title", "synopsis")
SYSTEMS = ("eidr", "imdb", "own")
COLUMNS = ("id", "kind", "parent_id", "rating", "orig_lang", *WHOLE, *LISTS, *TEXT, *SYSTEMS)


class Line(msgspec.Struct):
    """A row of the file, counted from 1; either half is missing if it cannot be read."""

    row: int
    id: str | None
    document: types.Document | None
    error: str | None = None
    made: bool = False  # the id is ours


async def run(edit: Edit, raw: bytes, media: str) -> types.ImportReport:
    """Store what can be stored. Raises 400 `invalid` for a file that cannot be read as rows."""
    lines = list(_csv(raw) if media == CSV else _json_lines(raw))
    await _recognise(edit, lines)
    _refuse_repeats(lines)
    wanted = {line.id: line.document for line in lines if line.id and line.document}
    before = await documents.load(edit.connection, list(wanted), lock=True)
    made = await save(edit, wanted, before)
    rows = [_outcome(line, made, before) for line in lines]
    counts = {name: sum(row.outcome == name for row in rows) for name in OUTCOMES}
    return types.ImportReport(**counts, rows=rows)


def outcome(report: types.ImportReport) -> tuple[dict[str, Any], int, int]:
    """What is kept of a report, its counts and what was refused; rows that are stored, and all."""
    refused = [row for row in report.rows if row.outcome == "rejected"]
    kept = msgspec.to_builtins(msgspec.structs.replace(report, rows=refused))
    return kept, len(report.rows) - len(refused), len(report.rows)


OUTCOMES = ("created", "updated", "unchanged", "rejected")


def _outcome(
    line: Line, made: dict[str, types.Entry | Problem], before: dict[str, types.Entry]
) -> types.ImportRow:
    result = made.get(line.id) if line.id and line.document else None
    if result is None or isinstance(result, Problem):
        error = f"{result.code}: {result.detail}" if isinstance(result, Problem) else line.error
        return types.ImportRow(line.row, None if line.made else line.id, "rejected", error)
    old = before.get(result.id)
    if old is None:
        return types.ImportRow(line.row, result.id, "created", None)
    outcome = "unchanged" if old.version == result.version else "updated"
    return types.ImportRow(line.row, result.id, outcome, None)  # type: ignore[arg-type]


async def _recognise(edit: Edit, lines: list[Line]) -> None:
    """Rows without an id are those titles whose external ids they name."""
    nameless = [(line, line.document) for line in lines if line.made and line.document]
    known = await owners(edit.connection, [document for _, document in nameless])
    for line, document in nameless:
        named = [known.get((each.system, each.value)) for each in document.external_ids]
        found = next((key for key in named if key is not None), None)
        if found is not None:
            line.id, line.made = found, False


def _refuse_repeats(lines: list[Line]) -> None:
    seen: set[str] = set()
    for line in lines:
        if line.id is not None and line.document is not None:
            if line.id in seen:
                line.document, line.error = None, "another row has this id"
            seen.add(line.id)


def _json_lines(raw: bytes) -> Iterator[Line]:
    texts = [text for text in raw.split(b"\n") if text.strip()]
    _bounded(len(texts))
    for row, text in enumerate(texts, 1):
        try:
            told = msgspec.json.decode(text)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            yield Line(row, None, None, str(error))
            continue
        if isinstance(told, dict):
            yield _line(row, told)
        else:
            yield Line(row, None, None, "a row is an object")


def _csv(raw: bytes) -> Iterator[Line]:
    try:
        reader = csv.DictReader(io.StringIO(raw.decode("utf-8-sig"), newline=""), strict=True)
        unknown = set(reader.fieldnames or [""]) - set(COLUMNS)
        if unknown:
            raise Problem("invalid", "the first row names the columns")
        rows = list(reader)
    except (UnicodeDecodeError, csv.Error) as error:
        raise Problem("invalid", f"not CSV in UTF-8: {error}") from None
    _bounded(len(rows))
    for row, cells in enumerate(rows, 1):
        if None in cells or None in cells.values():
            yield Line(row, None, None, "not as many cells as columns")
            continue
        try:
            told = _told({name: cell.strip() for name, cell in cells.items() if cell.strip()})
        except ValueError as error:
            yield Line(row, cells.get("id") or None, None, str(error))
            continue
        yield _line(row, told)


def _told(cells: dict[str, str]) -> dict[str, Any]:
    """A document in plain values; raises ValueError for a number that is none."""
    told: dict[str, Any] = {
        name: cells[name]
        for name in ("id", "kind", "parent_id", "rating", "orig_lang")
        if name in cells
    }
    told |= {name: int(cells[name]) for name in WHOLE if name in cells}
    told |= {name: cells[name].split("|") for name in LISTS if name in cells}
    text = {name: cells[name] for name in TEXT if name in cells}
    told["texts"] = [{"lang": cells.get("orig_lang", "und")} | text]
    told["external_ids"] = [
        {"system": system, "value": cells[system]} for system in SYSTEMS if system in cells
    ]
    return told


def _line(row: int, told: dict[str, Any]) -> Line:
    key = told.pop("id", None)
    made = key is None
    if made:
        key = ids.new("content")
    if not isinstance(key, str) or not ids.VALID.fullmatch(key):
        return Line(row, None, None, "the id is not well formed")
    try:
        return Line(row, key, msgspec.convert(told, types.Document), made=made)
    except msgspec.ValidationError as error:
        return Line(row, key, None, str(error), made=made)


def _bounded(rows: int) -> None:
    if rows > MAX_ROWS:
        raise Problem("too_large", f"at most {MAX_ROWS} rows")
