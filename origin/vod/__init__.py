"""Video on demand, packaged on request: plain MP4 files in, one set of CMAF segments out.

`register` reads the files once and writes a small index; `Library` answers HLS, DASH and media from
the index and the untouched files.
"""

from origin.vod.errors import VodError
from origin.vod.library import Library
from origin.vod.package import Report, register

__all__ = ["Library", "Report", "VodError", "register"]
