"""Personal answers: a viewer's copy found by URL and token, before a request is cut."""

from native.personal.porter import Porter
from native.personal.sums import Stream
from native.personal.viewers import Viewers

__all__ = ["Porter", "Stream", "Viewers"]
