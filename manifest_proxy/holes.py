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

# What stands for holes in bytes that stages write and compare, which know nothing of them.
TOKEN_MARK: Final = b"~headwater-token~"
SESSION_MARK: Final = b"~headwater-session~"
MARKED = {TOKEN_MARK: TOKEN, SESSION_MARK: SESSION}
MARKS = re.compile(b"(%b)" % b"|".join(MARKED))


def shown(template: Template) -> bytes:
    """Its bytes with a mark in each hole."""
    return template.render(TOKEN_MARK, SESSION_MARK)


def holed(text: bytes) -> Template:
    """The template with a hole for each mark."""
    return Template(MARKED.get(part, part) for part in MARKS.split(text))
