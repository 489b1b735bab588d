"""The CDNs' own tokens, beside CAT: Akamai EdgeAuth 2.0, CloudFront signed URLs and cookies, Fastly
path tokens (specs/edge.md section 7).

Each module signs and verifies; a verification answers "ok" or a reason code of CAT section 11.
Clocks come in as epoch seconds, keys as bytes or key objects; what cannot be signed is a
`SignError`.
"""

from cat.signers import akamai, by_cdn, cloudfront, fastly

__all__ = ["akamai", "by_cdn", "cloudfront", "fastly"]
