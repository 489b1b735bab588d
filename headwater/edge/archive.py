"""The zip of a Lambda@Edge function: its script and the stores it carries, as it can ask nobody
(edge.md, section 1). Equal input gives equal bytes.
"""

import io
import json
import zipfile
from collections.abc import Mapping
from typing import Final

from headwater.edge.build import Bundle
from headwater.edge.errors import BuildError

LIMIT_BYTES: Final = 1 << 20  # of a viewer-triggered function, zipped
_DATE: Final = (1980, 1, 1, 0, 0, 0)
_READABLE: Final = 0o644 << 16


def archive(bundle: Bundle, stores: Mapping[str, str]) -> bytes:
    """`index.mjs` with handlers viewerRequest and viewerResponse, and `stores.mjs`: items by name,
    as in a KeyValueStore. BuildError where the zip is too large.
    """
    files = {
        "index.mjs": bundle.code,
        "stores.mjs": f"export const stores = {json.dumps(stores)};\n".encode(),
    }
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as zipped:
        for name, data in files.items():
            member = zipfile.ZipInfo(name, _DATE)
            member.compress_type = zipfile.ZIP_DEFLATED
            member.external_attr = _READABLE
            zipped.writestr(member, data)
    if (size := len(held.getvalue())) > LIMIT_BYTES:
        raise BuildError(f"the function's zip is {size} bytes, {size - LIMIT_BYTES} over the limit")
    return held.getvalue()
