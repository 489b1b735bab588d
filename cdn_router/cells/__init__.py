"""What the router knows: sums by cell and CDN, circuits by region and CDN, shared between nodes."""
