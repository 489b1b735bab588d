"""Catalogue, guide, rights, playback sessions and recordings, and the console at :8000."""
