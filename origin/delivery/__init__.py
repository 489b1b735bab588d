"""Delivery: what the CDN-facing port answers."""
