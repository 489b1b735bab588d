"""Entity tag lists (C face: tags.pxd)."""

__pyx_capi__: dict[str, object]  # what other kernels call

def match_tags(lines: list[bytes], tag: bytes, weak: bool) -> bool:
    """Whether the list spread over `lines` names `tag` (quoted), comparing weakly or strongly."""
