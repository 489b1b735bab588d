"""Who callers are: sign-ins that last, and issuers that we trust (control-api section 10)."""
