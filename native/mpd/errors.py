"""What keeps the span reader from reading.

SpanError (ValueError)
    .code    one of CODES
    .status  HTTP status hint for a gateway, from CODES
"""

CODES: dict[str, int] = {
    "xml_malformed": 502,  # markup that does not close
    "xml_depth": 502,  # elements nest deeper than the caller allows
}


class SpanError(ValueError):
    """Data whose elements cannot be told apart, or too many of them inside one another."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail
        self.status = CODES[code]
