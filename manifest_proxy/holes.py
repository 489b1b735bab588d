"""What a viewer's copy of a manifest fills in: the values of a `native.holes.Template`.

Source: manifest-proxy MP-40, MP-44.
"""

from enum import IntEnum
from typing import Final

from native.holes import Template


class Hole(IntEnum):
    TOKEN = 0  # the viewer's access token; many per playlist
    SESSION = 1  # the steering session; one per manifest


Piece = bytes | Hole | Template
TOKEN: Final = Hole.TOKEN
SESSION: Final = Hole.SESSION
