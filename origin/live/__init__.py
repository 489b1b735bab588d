"""Live channels: what encoders pushed, stored once, and what is published of it."""
