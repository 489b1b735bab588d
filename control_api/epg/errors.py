"""Why a guide is not imported, once: code -> what to do about it.

EpgError
    code      a key of `CODES`, the same in log, report and exit message
    detail    where and what, never the file's text
"""

from collections.abc import Mapping

# fmt: off
CODES: Mapping[str, str] = {
    "not_well_formed": "the file is not well-formed to its end; fetch it again",   # CTL-61
    "not_xmltv":       "the root element is not <tv>; give an XMLTV file",          # CTL-61
    "bad_gzip":        "the compressed file is damaged; fetch it again",            # CTL-61
    "too_large":       "the file exceeds a limit; split it",                        # CTL-58
    "too_dense":       "the file unpacks to far too much; do not trust it",         # CTL-58
    "entities":        "the file declares entities; do not trust it",               # CTL-58
    "download":        "the file could not be fetched; stored events are unchanged",  # CTL-61
    "unknown_channel": "map to a channel that exists",                              # CTL-51
    "import_running":  "another import of this source runs; wait for it",           # CTL-68
}
# fmt: on


class EpgError(Exception):
    """A guide that is refused whole; stored events stay as they are (CTL-61)."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{detail}: {CODES[code]}")
        self.code = code
        self.detail = detail
