"""The request a handler sees: checked by the parser, cut out of the octets only when asked."""


class Request:
    """One GET or HEAD. `path` is decoded (HT-51), `query` raw and without "?" (HT-55); `target` is
    both as received.
    """

    __slots__ = ("_headers", "_section", "method", "path", "peer", "query", "target")

    def __init__(
        self,
        method: str,
        path: str,
        query: str = "",
        peer: str = "",
        section: bytes = b"",
        target: str = "",
    ) -> None:
        """`section`: the field lines as received, each ended by CRLF, already found well-formed."""
        self.method = method
        self.path = path
        self.query = query
        self.peer = peer
        self.target = target
        self._section = section
        self._headers: dict[str, str] | None = None

    @property
    def headers(self) -> dict[str, str]:
        """Fields by lower-case name, Latin-1; repeated ones joined by ", " (RFC 9110 5.3)."""
        if self._headers is None:
            headers: dict[str, str] = {}
            for line in self._section.decode("latin-1").split("\r\n"):
                name, colon, value = line.partition(":")
                if colon:
                    name, value = name.lower(), value.strip(" \t")
                    headers[name] = f"{headers[name]}, {value}" if name in headers else value
            self._headers = headers
        return self._headers

    def header(self, name: str) -> str | None:
        """The value of the field `name`, or None."""
        return self.headers.get(name.lower())

    def __repr__(self) -> str:
        return f"<Request {self.method} {self.path!r}>"
