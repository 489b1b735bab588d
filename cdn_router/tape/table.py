"""Tapes as Parquet: a row a line, in columns what one asks of decisions, beside the line itself."""

from collections.abc import Iterator

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.dataset as ds  # type: ignore[import-untyped]

from ..archive.journal import Frame
from ..bodies import UNREADABLE
from .lines import DECODER, DecisionLine
from .replay import Numbered

SCHEMA = pa.schema(
    [
        pa.field("at_ms", pa.int64(), nullable=False),
        pa.field("node", pa.string(), nullable=False),
        pa.field("number", pa.int64(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),
        pa.field("sid", pa.string()),
        pa.field("pathway", pa.string()),
        pa.field("reason", pa.string()),
        pa.field("policy", pa.string()),
        pa.field("policy_version", pa.int64()),
        pa.field("snapshot_version", pa.int64()),
        pa.field("line", pa.binary(), nullable=False),
    ]
)


def table(frames: list[Frame], node: str) -> pa.Table:
    """The lines of a node's chunks; `at_ms` is when the chunk was written."""
    rows = [
        _row(frame.at_ms, node, number, text)
        for frame in frames
        for number, text in enumerate(frame.body.splitlines(), int(frame.label))
    ]
    columns = dict(zip(SCHEMA.names, zip(*rows, strict=True), strict=False))
    return pa.table(columns or {name: [] for name in SCHEMA.names}, schema=SCHEMA)


def _row(at_ms: int, node: str, number: int, text: bytes) -> tuple[object, ...]:
    try:
        line = DECODER.decode(text)
    except UNREADABLE:  # of another version of this program
        return (at_ms, node, number, "unreadable", *[None] * 6, text)
    kind = line.__struct_config__.tag
    if not isinstance(line, DecisionLine):
        return (at_ms, node, number, kind, *[None] * 6, text)
    return (
        *(at_ms, node, number, kind, line.session_id, line.pathways[0], line.reason),
        *(line.policy, line.policy_version, line.snapshot_version, text),
    )


def lines(found: ds.Dataset) -> Iterator[Numbered]:
    """The lines of all nodes in `found`, one node after the other, in the order written. An hour of
    a node is in memory at a time.
    """
    of = (ds.get_partition_keys(each.partition_expression) for each in found.get_fragments())
    hours = sorted({(each["date"], each["hour"]) for each in of})
    nodes = sorted(set(found.to_table(columns=["node"]).column("node").to_pylist()))
    for node in nodes:
        for date, hour in hours:
            here = (ds.field("date") == date) & (ds.field("hour") == hour)
            rows = found.to_table(["number", "line"], filter=here & (ds.field("node") == node))
            rows = rows.sort_by("number")
            for number, text in zip(rows.column("number"), rows.column("line"), strict=True):
                yield Numbered(node, number.as_py(), text.as_py())
