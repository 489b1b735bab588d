"""The operator's pages at :8000 (design: one place, server-rendered, no outside host)."""
