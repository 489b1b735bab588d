"""What a router knew and decided, recorded as it happened, and decided again from that alone."""
