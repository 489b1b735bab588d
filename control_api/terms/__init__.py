"""What operators set of who may watch what: packages, offers, blackouts, grants, and the moments
at which windows and blackouts begin and end.
"""
