"""Video on demand, packaged on request: MP4 files in, one set of CMAF segments and MPEG-TS out.

`register` reads the files once and writes a small index; `Library` answers HLS, DASH and media from
the index and the untouched files, which lie in folders or in S3 (`register_objects`, `Films`).
"""

from origin.vod.errors import VodError
from origin.vod.films import Films, register_objects
from origin.vod.library import Library
from origin.vod.package import Report, register

__all__ = ["Films", "Library", "Report", "VodError", "register", "register_objects"]
