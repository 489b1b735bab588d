"""Common Access Token (CTA-5007): the claim table, COSE, verify, issue, renew."""
