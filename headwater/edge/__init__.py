"""Edge scripts from source to bundle: linked, cut to a selection of claims, made small, checked
against the platform's limits, and written with a manifest (specs/edge.md E-1, E-3, E-58).
"""

from headwater.edge.build import Bundle, build
from headwater.edge.errors import BuildError

__all__ = ["BuildError", "Bundle", "build"]
