"""Identifiers: a prefix naming the kind and a UUIDv7, so that ids sort by the time they were made.

Source: RFC 9562 sections 5.7 and 6.2 (UUID version 7); control-api CTL-2.
"""

import re
import secrets
import time

# Prefix of each kind (CTL-2).
PREFIXES = {
    "channel": "ch_",
    "content": "cnt_",
    "collection": "col_",
    "account": "acc_",
    "device": "dev_",
    "session": "ses_",
    "credential": "crd_",
    "asset": "ast_",
    "window": "rwn_",
    "package": "pkg_",
    "offer": "ofr_",
    "blackout": "blk_",
    "entitlement": "ent_",
    "event": "evt_",
    "import": "imp_",
    "request": "req_",
    "recording": "rec_",
    "recording_asset": "ras_",
    "recording_rule": "rul_",
    "profile": "prf_",
    "api_key": "key_",
    "audit": "aud_",
    "message": "msg_",
    "dead": "dlq_",
    "endpoint": "whk_",
    "delivery": "whd_",
    "job": "job_",
}
PATTERN = r"^[A-Za-z0-9_.:-]{1,64}$"
VALID = re.compile(PATTERN)


def uuid7(now_ms: int, random_bits: int) -> str:
    """Hex of a version 7 UUID: 48 bits of Unix milliseconds, 74 of the caller's random bits."""
    high, low = random_bits >> 62 & 0xFFF, random_bits & (1 << 62) - 1
    value = (now_ms & (1 << 48) - 1) << 80 | 0x7 << 76 | high << 64 | 0b10 << 62 | low
    return f"{value:032x}"


def new(kind: str) -> str:
    """A fresh id of a kind in `PREFIXES`. Those of one millisecond sort as they were made too: 12
    bits go on with the time, a quarter of a microsecond each (RFC 9562 section 6.2, method 3).
    """
    now_ms, more_ns = divmod(time.time_ns(), 1_000_000)
    return PREFIXES[kind] + uuid7(now_ms, (more_ns << 12) // 1_000_000 << 62 | secrets.randbits(62))


def made_ms(kind: str, name: str) -> int:
    """When an id of ours was made, epoch milliseconds; 0 for a name that somebody chose."""
    digits = name.removeprefix(PREFIXES[kind])
    ours = len(digits) == 32 and digits[12] == "7" and set(digits) <= set("0123456789abcdef")
    return int(digits[:12], 16) if ours else 0
