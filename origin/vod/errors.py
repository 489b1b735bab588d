"""What registration and packaging refuse: TR-28 codes, with the file, a sentence and a remedy."""

from native.bmff import BoxError
from origin.errors import OriginError

# TR-28, and our own: subtitles that cannot be read, thumbnails that cannot be
# drawn, a title name that is no name, no keys, boxes of protection that disagree (PR-151)
CODES: dict[str, int] = {
    "bad_box": 415,
    "bad_table": 415,
    "offset_out_of_file": 415,
    "truncated": 415,
    "no_moov": 415,
    "encrypted": 415,
    "aux_info": 415,
    "unsupported_codec": 415,
    "unsupported_edit": 415,
    "resolution_change": 415,
    "no_rap": 415,
    "misaligned": 415,
    "bad_title": 403,
    "bad_text": 415,
    "no_pictures": 415,
    "no_key": 503,
    "unreadable": 502,
}


class VodError(OriginError):
    """An input that cannot be a title. `str()` is what the operator reads."""

    def __init__(self, code: str, where: str, detail: str) -> None:
        super().__init__(f"{where}: {detail}", code=code)
        self.status = CODES[code]

    @classmethod
    def of_box(cls, error: BoxError, where: str) -> "VodError":
        """A kernel's finding, with the file it is about."""
        code = error.code if error.code in CODES else "bad_box"
        return cls(code, where, f"{error.detail} (byte {error.offset})")
