"""Sample entries of stsd: reached through parse_init only."""

CONFIGS: frozenset[str]

__pyx_capi__: dict[str, object]  # what the .pxd shares with other kernels
