"""What the origin refuses, each with the stable code and the HTTP status of its answer (I5).

OriginError
├── UnsupportedCodec     415  a sample entry that no player of ours could be told about
├── UnsupportedMedia     415  a body that is not CMAF, or coded in a way we do not read
├── WrongPath            403  a name outside the publishing point
├── Forbidden            403  a push without the channel's secret
├── UnknownChannel       404  the publishing point is not available
├── WrongHeader          412  media without a header, or another header than the stored one
├── BadMedia             400  boxes that lie, are cut, or do not fit the track
├── DamagedLog           500  the track store met bytes that it did not write
├── DiskFull             507  the disk takes no more; nothing of this was stored
├── NotLocal             503  the media is in the archive only
├── BadRange             400  a time range that cannot be meant
└── NoRange              410  a time range that has left the origin; 404 one that is not there
"""


class OriginError(Exception):
    """`code` is stable and machine-readable, `detail` one sentence for the operator."""

    code = "internal"
    status = 500

    def __init__(self, detail: str, *, code: str = "", status: int = 0) -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code or type(self).code
        self.status = status or type(self).status


class UnsupportedCodec(OriginError):
    code, status = "unsupported_codec", 415


class UnsupportedMedia(OriginError):
    code, status = "unsupported_media", 415


class WrongPath(OriginError):
    code, status = "wrong_path", 403


class Forbidden(OriginError):
    code, status = "forbidden", 403


class UnknownChannel(OriginError):
    code, status = "unknown_channel", 404


class WrongHeader(OriginError):
    code, status = "wrong_header", 412


class BadMedia(OriginError):
    code, status = "bad_media", 400


class DamagedLog(OriginError):
    code, status = "damaged_log", 500


class DiskFull(OriginError):
    code, status = "disk_full", 507


class NotLocal(OriginError):
    code, status = "archived", 503


class BadRange(OriginError):
    code, status = "bad_range", 400


class NoRange(OriginError):
    code, status = "range_gone", 410
