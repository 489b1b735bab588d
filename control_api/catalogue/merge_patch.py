"""JSON merge patch: null removes, objects merge, all else replaces (RFC 7396 section 2)."""

from typing import Any


def apply(target: Any, patch: Any) -> Any:
    """The target with the patch applied; neither argument is changed."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = apply(merged.get(name), value)
    return merged
