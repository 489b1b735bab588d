"""Refusals of the protocol itself, as data, and the exceptions its face raises.

    ValueError
    └── HeadError    a handler's header would break the head (HT-70)
    RuntimeError
    └── EndedError   something is added to a growing object that has ended

Class F rows end the connection (HT-2): framing or syntax in doubt, never cached. Class S rows are
well-formed requests refused for their meaning: the connection stays open, with a short lifetime.
"""

from typing import NamedTuple


class HeadError(ValueError):
    """A configured or computed header name or value that may not go on the wire."""


class EndedError(RuntimeError):
    """append() or finish() on a growing object that is finished or aborted."""


class Row(NamedTuple):
    """One refusal: stable code, status, whether the connection ends."""

    code: str
    status: int
    ends: bool


REFUSALS = (
    Row("bad_request_line", 400, True),  # HT-10, HT-14
    Row("bad_line_end", 400, True),  # HT-12
    Row("empty_lines", 400, True),  # HT-11
    Row("bad_target_octet", 400, True),  # HT-15
    Row("bad_version", 400, True),  # HT-14
    Row("line_too_long", 414, True),  # HT-16
    Row("unsupported_version", 505, True),  # HT-14
    Row("method_not_allowed", 405, True),  # HT-13
    Row("method_unknown", 501, True),  # HT-13
    Row("bad_field_name", 400, True),  # HT-20, HT-21
    Row("bad_field_value", 400, True),  # HT-22
    Row("head_too_large", 431, True),  # HT-23
    Row("too_many_fields", 431, True),  # HT-23
    Row("field_twice", 400, True),  # HT-24
    Row("ambiguous_name", 400, True),  # HT-26
    Row("transfer_encoding", 400, True),  # HT-30
    Row("content_length", 400, True),  # HT-31
    Row("host_missing", 400, True),  # HT-40
    Row("bad_host", 400, True),  # HT-41
    Row("bad_target_form", 400, True),  # HT-43, HT-45
    Row("host_conflict", 400, True),  # HT-44
    Row("bad_expectation", 417, True),  # HT-33
    Row("head_timeout", 408, True),  # HT-120
    Row("misdirected", 421, False),  # HT-42
    Row("bad_path", 400, False),  # HT-50..HT-53
    Row("bad_query", 400, False),  # HT-50, HT-56
    Row("precondition_failed", 412, False),  # HT-81
    Row("internal", 500, False),  # the handler raised
    Row("hold_expired", 503, False),  # HT-123
    Row("draining", 503, False),  # HT-67
    Row("overloaded", 503, False),  # HT-141
    Row("source_cut", 503, False),  # HT-114: asked for after its source broke
)
NUMBER = {row.code: number for number, row in enumerate(REFUSALS)}
