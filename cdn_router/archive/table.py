"""Frames of the journal as an Arrow table, a row a record, by `SCHEMA`.

Keys have the names of CTA-5004-B section 4.3; of a list the greatest number or the first text. URLs
come without user information, query and fragment (CM-33). `at_ms` is the time of arrival; `region`
and `isp` are those of the network, `cdn` is that of the URL, else of `h` (CM-40), each empty when
not known.
"""

from collections.abc import Callable, Iterable
from itertools import accumulate

import pyarrow as pa  # type: ignore[import-untyped]

from native.cmcd import columns

from ..cells.place import Place, address_in
from ..cmcd.decode import ORDERLY, decode_line
from ..cmcd.errors import CmcdError
from ..cmcd.record import Value, bare, upgrade
from ..cmcd.tables import KEYS, Kind
from ..quality import host_of
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
KEPT = pa.schema([pa.field(name, TYPES[KEYS[name].kind]) for name in NAMES])
SCHEMA = pa.schema(
    [
        pa.field("at_ms", pa.int64(), nullable=False),
        pa.field("network", pa.string(), nullable=False),
        *KEPT,
        *(pa.field(name, pa.string(), nullable=False) for name in ("region", "isp", "cdn")),
    ]
)

Locate = Callable[[str], Place]  # the place of an address
Cdns = Callable[[str], str]  # the CDN of a host


def table(frames: Iterable[Frame], locate: Locate, cdns: Cdns) -> pa.Table:
    """The records of the frames, in the order in which they came; those the kernel left last."""
    kept = list(frames)
    body, ends = b"".join(frame.body for frame in kept), [*accumulate(len(f.body) for f in kept)]
    count, made, of_frames, of_hosts, hosts, odd = columns.read(ORDERLY, NAMES, body, ends)
    rows = [(at, *row) for at, line in odd if (row := _row(line)) is not None]
    orderly = [_column(field.type, count, *made[field.name]) for field in KEPT]
    rest = pa.Table.from_pylist([row for _, row, _ in rows], KEPT)
    told = pa.concat_tables([pa.Table.from_arrays(orderly, schema=KEPT), rest])
    by_frame = _places(of_frames, count, [at for at, _, _ in rows])
    by_host = _places(of_hosts, count, range(len(hosts), len(hosts) + len(rows)))
    hosts += [host for _, _, host in rows]
    places = {label: locate(address_in(label)) for label in {frame.label for frame in kept}}
    here = [places[frame.label] for frame in kept]
    return pa.Table.from_arrays(
        [
            pa.array([frame.at_ms for frame in kept], pa.int64()).take(by_frame),
            pa.array([frame.label for frame in kept], pa.string()).take(by_frame),
            *told.columns,
            pa.array([place.region for place in here], pa.string()).take(by_frame),
            pa.array([place.isp for place in here], pa.string()).take(by_frame),
            pa.array(map(cdns, hosts), pa.string()).take(by_host),
        ],
        schema=SCHEMA,
    )


def _places(first: bytearray, count: int, more: Iterable[int]) -> pa.Array:
    """Places of the kernel's rows and of those after them."""
    kernels = pa.Array.from_buffers(pa.int32(), count, [None, pa.py_buffer(first)])
    return pa.concat_arrays([kernels, pa.array(more, pa.int32())])


def _column(kind: pa.DataType, count: int, *buffers: bytearray) -> pa.Array:
    """A column of the kernel's: validity, then numbers, or offsets and text."""
    valid, first, text = map(pa.py_buffer, buffers)
    if kind == pa.string():
        return pa.Array.from_buffers(kind, count, [valid, first, text])
    return pa.Array.from_buffers(pa.int64(), count, [valid, first]).cast(kind)


def _row(line: bytes) -> tuple[dict[str, object], str] | None:
    """A record that the kernel left and its host, None for what is no record."""
    try:
        record = decode_line(line.decode())
    except (CmcdError, UnicodeDecodeError):
        return None
    data = upgrade(record.data) if record.version == 1 else record.data
    url, host = data.get("url", ""), data.get("h", "")
    found = {name: _plain(name, data[name]) for name in NAMES if name in data}
    return found, host_of(str(url)) or str(host)


def _plain(name: str, value: Value) -> object:
    values = [bare(each) for each in value] if isinstance(value, list) else [bare(value)]
    if KEYS[name].kind is Kind.INTEGERS:
        return max(values, default=None)
    first = values[0] if values else None
    if isinstance(first, str):
        cut = first.partition("?")[0].partition("#")[0]
        return "" if "@" in cut else cut
    return first
