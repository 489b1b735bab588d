def head(data: bytes, at: int, most: int) -> tuple[str, str, int] | None:
    """Protocol, raw query and end of the plain GET of a steering URL whose head begins at `at` and
    is whole within `most` octets (specs/http1.md, ST-30).
    """

def usual(query: str) -> tuple[str, str, int | None] | None:
    """Sealed state, pathway and bits per second of the query of an HLS player that knows where it
    is (ST-30, forms 1 and 2).
    """
