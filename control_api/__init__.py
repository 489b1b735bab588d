"""Catalogue, guide, rights, playback sessions and recordings, and the console at :8000.

`routes.ROUTES` is the table of every operation; `server.parts` makes a process of it.
"""
