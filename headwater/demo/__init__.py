"""The demo: an encoder, a film, two small CDNs with switches, all of our own."""
