"""Policies: which CDN a session should use, as pure functions of a snapshot (specs routing.md)."""
