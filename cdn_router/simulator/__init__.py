"""Worlds of viewers, links and CDNs to compare policies in (specs routing.md section 3)."""
