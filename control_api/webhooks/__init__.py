"""Webhooks: events sent to endpoints of others, signed messages of others taken in (section 9)."""
