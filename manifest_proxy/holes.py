"""What a viewer's copy of a manifest fills in: the values of a `native.holes.Template`.

Source: manifest-proxy MP-40, MP-44.
"""

import re
from enum import IntEnum
from typing import Final

from native.holes import Template


class Hole(IntEnum):
    TOKEN = 0  # the viewer's access token; many per playlist
    SESSION = 1  # the steering session; one per manifest


Piece = bytes | Hole | Template
TOKEN: Final = Hole.TOKEN
SESSION: Final = Hole.SESSION

# Stands for the token in URLs that stages write, which know nothing of holes.
TOKEN_MARK: Final = b"~headwater-token~"
SHOWN = {b"\0t": TOKEN, b"\0s": SESSION}  # no text holds a NUL


def holed(template: Template) -> Template:
    """The template with a hole in each place that is marked."""
    text = template.render(*SHOWN).replace(TOKEN_MARK, b"\0t")
    return Template(SHOWN.get(part, part) for part in re.split(rb"(\0[ts])", text))
