"""Sample entries of stsd: reached through parse_init only."""

CONFIGS: frozenset[str]
