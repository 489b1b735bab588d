"""Viewers of a household: profiles, bookmarks, what to go on with, watchlists (control-api, 8)."""
