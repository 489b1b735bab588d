"""Frames of the journal as an Arrow table, a row a record, by `SCHEMA`.

Keys have the names of CTA-5004-B section 4.3; of a list the greatest number or the first text. URLs
come without user information, query and fragment (CM-33). `at_ms` is the time of arrival.
"""

from array import array
from collections.abc import Iterable

import pyarrow as pa  # type: ignore[import-untyped]

from native.cmcd import columns

from ..cmcd.decode import ORDERLY, decode_line
from ..cmcd.errors import CmcdError
from ..cmcd.record import Value, bare, upgrade
from ..cmcd.tables import KEYS, Kind
from .journal import Frame

NAMES = (
    *(
        "ab",
        "bg",
        "bl",
        "br",
        "bs",
        "bsa",
        "bsd",
        "bsda",
        "cen",
        "cid",
        "cs",
        "d",
        "dfa",
        "dl",
        "e",
    ),
    *("ec", "h", "ltc", "msd", "mtp", "nr", "ot", "pb", "pt", "rc", "rtp", "sf", "sid", "sn", "st"),
    *("sta", "su", "tb", "ts", "ttfb", "ttlb", "url"),
)
TYPES = {
    Kind.INTEGER: pa.int64(),
    Kind.INTEGERS: pa.int64(),
    Kind.BOOLEAN: pa.bool_(),
    Kind.STRING: pa.string(),
    Kind.STRINGS: pa.string(),
    Kind.TOKEN: pa.string(),
}
SCHEMA = pa.schema(
    [
        pa.field("at_ms", pa.int64(), nullable=False),
        pa.field("network", pa.string(), nullable=False),
        *(pa.field(name, TYPES[KEYS[name].kind]) for name in NAMES),
    ]
)


def table(frames: Iterable[Frame]) -> pa.Table:
    """The records of the frames, in the order in which they came; those the kernel left last."""
    kept = list(frames)
    ends, end = [], 0
    for frame in kept:
        end += len(frame.body)
        ends.append(end)
    body = b"".join(frame.body for frame in kept)
    counts, made, odd = columns.read(ORDERLY, NAMES, body, ends)
    total = sum(counts)
    times = array("q")
    networks: list[str] = []
    for frame, count in zip(kept, counts, strict=True):
        times.extend([frame.at_ms] * count)
        networks += [frame.label] * count
    arrays = [pa.array(times, pa.int64()), pa.array(networks, pa.string())]
    for name in NAMES:
        valid, first, text = (pa.py_buffer(each) for each in made[name])
        kind = SCHEMA.field(name).type
        if kind == pa.string():
            arrays.append(pa.Array.from_buffers(kind, total, [valid, first, text]))
        else:
            arrays.append(pa.Array.from_buffers(pa.int64(), total, [valid, first]).cast(kind))
    rows = [row for at, line in odd if (row := _row(kept[at], line)) is not None]
    orderly = pa.Table.from_arrays(arrays, schema=SCHEMA)
    return pa.concat_tables([orderly, pa.Table.from_pylist(rows, schema=SCHEMA)])


def _row(frame: Frame, line: bytes) -> dict[str, object] | None:
    """A record that the kernel left, None for what is no record."""
    try:
        record = decode_line(line.decode())
    except (CmcdError, UnicodeDecodeError):
        return None
    data = upgrade(record.data) if record.version == 1 else record.data
    found = {name: _plain(name, data[name]) for name in NAMES if name in data}
    return {"at_ms": frame.at_ms, "network": frame.label, **found}


def _plain(name: str, value: Value) -> object:
    values = [bare(each) for each in value] if isinstance(value, list) else [bare(value)]
    if KEYS[name].kind is Kind.INTEGERS:
        return max(values, default=None)
    first = values[0] if values else None
    if isinstance(first, str):
        cut = first.partition("?")[0].partition("#")[0]
        return "" if "@" in cut else cut
    return first
