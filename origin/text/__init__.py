"""Timed text: WebVTT in ISO files and beside them, IMSC 1, and silence. Pure functions."""
