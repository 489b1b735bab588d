"""A world of viewers, links and CDNs in which policies are compared (specs routing.md section 3)."""
