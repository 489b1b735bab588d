"""Households' accounts: operators make, limit, suspend and delete them (control-api section 3)."""
