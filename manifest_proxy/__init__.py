"""Personal manifests: fetched once, compiled once, rendered per viewer with token and pathway."""
