"""Keys of partners and services: opaque bearer tokens that operators give out (CTL-163)."""
