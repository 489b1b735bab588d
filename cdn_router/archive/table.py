"""Frames of the journal as an Arrow table, a row a record, by `SCHEMA`.

Keys have the names of CTA-5004-B section 4.3; of a list the greatest number or the first text. URLs
come without user information, query and fragment (CM-33). `at_ms` is the time of arrival; `region`
and `isp` are those of the network, `cdn` is that of the URL, else of `h` (CM-40), each empty when
not known.
"""

from array import array
from collections.abc import Callable, Iterable

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]

from native.cmcd import columns

from ..cells.place import Place, address_in
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
TOLD = pa.schema(
    [
        pa.field("at_ms", pa.int64(), nullable=False),
        pa.field("network", pa.string(), nullable=False),
        *(pa.field(name, TYPES[KEYS[name].kind]) for name in NAMES),
    ]
)
FOUND = [pa.field(name, pa.string(), nullable=False) for name in ("region", "isp", "cdn")]
SCHEMA = pa.schema([*TOLD, *FOUND])

Locate = Callable[[str], Place]  # the place of an address
Cdns = Callable[[str], str]  # the CDN of a host


def table(frames: Iterable[Frame], locate: Locate, cdns: Cdns) -> pa.Table:
    """The records of the frames, in the order in which they came; those the kernel left last."""
    told = _told(frames)
    places = told.column("network").combine_chunks().dictionary_encode()
    known = [locate(address_in(name)) for name in places.dictionary.to_pylist()]
    padded = pc.binary_join_element_wise(told.column("url"), "///", "")
    named = pc.list_element(pc.split_pattern(padded, "/", max_splits=3), 2)
    named = pc.coalesce(named, told.column("h"), pa.scalar(""))
    hosts = named.combine_chunks().dictionary_encode()
    of_hosts = [cdns(host) for host in hosts.dictionary.to_pylist()]
    columns = (
        (places, [place.region for place in known]),
        (places, [place.isp for place in known]),
        (hosts, of_hosts),
    )
    for field, (encoded, values) in zip(FOUND, columns, strict=True):
        told = told.append_column(field, pa.array(values, pa.string()).take(encoded.indices))
    return told


def _told(frames: Iterable[Frame]) -> pa.Table:
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
        kind = TOLD.field(name).type
        if kind == pa.string():
            arrays.append(pa.Array.from_buffers(kind, total, [valid, first, text]))
        else:
            arrays.append(pa.Array.from_buffers(pa.int64(), total, [valid, first]).cast(kind))
    rows = [row for at, line in odd if (row := _row(kept[at], line)) is not None]
    orderly = pa.Table.from_arrays(arrays, schema=TOLD)
    return pa.concat_tables([orderly, pa.Table.from_pylist(rows, schema=TOLD)])


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
