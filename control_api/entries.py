"""Entries that operators edit: a document under a version, whose ETag a change has to name."""

from typing import Any

import msgspec

from control_api.calls import Call
from control_api.catalogue import merge_patch
from control_api.problems import Problem


def tag(version: int) -> str:
    """The entity tag of a version."""
    return f'"v{version}"'


def unchanged(call: Call[Any], version: int) -> None:
    """Changes need If-Match: 428 without, 412 for another version (CTL-8)."""
    asked = call.headers.get("If-Match")
    if asked is None:
        raise Problem("precondition_required")
    if {tag(version), "*"}.isdisjoint(each.strip() for each in asked.split(",")):
        raise Problem("precondition_failed", version=version)


def as_seen(call: Call[Any], version: int) -> None:
    """A move may name the version that was looked at: 412 for another one."""
    if "If-Match" in call.headers:
        unchanged(call, version)


def patched(document: msgspec.Struct, patch: Any) -> Any:
    """The document with a merge patch applied (RFC 7396); 400 for one that leads to none."""
    try:
        told = msgspec.json.decode(patch)
        merged = merge_patch.apply(msgspec.to_builtins(document), told)
        return msgspec.convert(merged, type(document))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Problem("invalid", str(error)) from None
