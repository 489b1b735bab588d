"""Questions to an archive: a condition in words of Python, as an expression of Arrow's.

    e == "rr" and (rc >= 500 or rc == 0) and cdn in ("CDN-A", "CDN-B")

Names are columns; values are texts, numbers, True, False and None. `x == None` asks for null.
"""

import ast
import operator
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.dataset as ds  # type: ignore[import-untyped]

MAX_CHARS = 1_000

COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}


class QueryError(ValueError):
    """Why a question cannot be asked."""


def condition(text: str, names: Collection[str]) -> ds.Expression:
    """The expression of a condition over columns of these names; QueryError."""
    if len(text) > MAX_CHARS:
        raise QueryError(f"at most {MAX_CHARS} characters")
    try:
        return _made(ast.parse(text, mode="eval").body, names)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        if isinstance(error, QueryError):
            raise
        raise QueryError("not a condition") from None


def _made(node: ast.expr, names: Collection[str]) -> ds.Expression:
    match node:
        case ast.BoolOp(ast.And() as op, values) | ast.BoolOp(ast.Or() as op, values):
            first, *rest = (_made(each, names) for each in values)
            for each in rest:
                first = first & each if isinstance(op, ast.And) else first | each
            return first
        case ast.UnaryOp(ast.Not(), operand):
            return ~_made(operand, names)
        case ast.Compare(ast.Name(name), [ast.In()], [ast.Tuple(each) | ast.List(each)]):
            return _field(name, names).isin([_value(one) for one in each])
        case ast.Compare(ast.Name(name), [ast.Eq() | ast.NotEq() as op], [ast.Constant(None)]):
            field = _field(name, names)
            return field.is_null() if isinstance(op, ast.Eq) else field.is_valid()
        case ast.Compare(ast.Name(name), [op], [value]) if type(op) in COMPARE:
            return COMPARE[type(op)](_field(name, names), _value(value))
        case ast.Name(name):
            return _field(name, names) == True  # noqa: E712
    raise QueryError(f"not understood: {ast.unparse(node)}")


def _field(name: str, names: Collection[str]) -> ds.Expression:
    if name not in names:
        raise QueryError(f"no column {name}; one of {', '.join(sorted(names))}")
    return ds.field(name)


def _value(node: ast.expr) -> object:
    value = ast.literal_eval(node)
    if not isinstance(value, str | int | float | bool):
        raise QueryError(f"not a value: {ast.unparse(node)}")
    return value


def between(from_ms: int | None, until_ms: int | None) -> list[ds.Expression]:
    """Rows that came in [from, until), and the hours that they lie in."""
    found = []
    for at_ms, compare, hours in (
        (from_ms, operator.ge, operator.ge),
        (until_ms, operator.lt, operator.le),
    ):
        if at_ms is not None:
            at = datetime.fromtimestamp(at_ms / 1000, UTC)
            found += [hours(ds.field("date"), f"{at:%Y-%m-%d}"), compare(ds.field("at_ms"), at_ms)]
    return found


def rows(
    found: ds.Dataset, wanted: Sequence[ds.Expression], columns: Sequence[str], limit: int
) -> Iterator[dict[str, object]]:
    """So many rows, read as they are taken; null values are left out."""
    for batch in found.scanner(columns=list(columns), filter=_all(wanted)).to_batches():
        for row in batch.slice(0, limit).to_pylist():
            yield {name: value for name, value in row.items() if value is not None}
        limit -= min(limit, batch.num_rows)
        if not limit:
            return


def counts(
    found: ds.Dataset, wanted: Sequence[ds.Expression], columns: Sequence[str]
) -> Iterator[dict[str, object]]:
    """How many rows there are by the values of some columns, the most first."""
    told: pa.Table = found.to_table(columns=list(columns), filter=_all(wanted))
    grouped = told.group_by(list(columns)).aggregate([([], "count_all")])
    order = [("count_all", "descending"), *((name, "ascending") for name in columns)]
    for row in grouped.sort_by(order).to_pylist():
        count = row.pop("count_all")
        yield {**row, "rows": count}


def _all(wanted: Sequence[ds.Expression]) -> ds.Expression | None:
    made = None
    for each in wanted:
        made = each if made is None else made & each
    return made
