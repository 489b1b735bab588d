"""Which CDN a session uses: decisions with reasons, health, and content steering manifests."""
