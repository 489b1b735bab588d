"""Endless work over the database, which one refused statement does not end."""

from sqlalchemy.exc import DBAPIError

from runtime.service import Background


class Loop(Background):
    """A deadlock's victim, or what a row made impossible, is tried again in its next turn."""

    outlives = (DBAPIError,)
