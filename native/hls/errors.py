"""What makes bytes no playlist that may be passed on.

PlaylistError (ValueError)
    .code    one of CODES
    .status  HTTP status hint for a gateway, from CODES
"""

CODES: dict[str, int] = {
    "not_a_playlist": 502,  # the first line is not #EXTM3U (4.1, 4.4.1.1)
    "control_character": 502,  # a NUL (4.1)
    "too_many_uris": 502,  # what a viewer's copy would cost is out of proportion
}


class PlaylistError(ValueError):
    """Data that cannot be read as a playlist."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail
        self.status = CODES[code]
