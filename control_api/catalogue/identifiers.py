"""Identifiers of titles outside this house, checked before they are stored (CTL-34)."""

import re

EIDR = re.compile(r"10\.5240/([0-9A-F]{4}(?:-[0-9A-F]{4}){4})-([0-9A-Z])")
# RFC 4078 section 4: crid://authority/data, the authority being a DNS name.
CRID = re.compile(
    r"crid://(?=[^/]{1,253}/)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
    r"(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*/[^\s<>\"{}|\\^`]{1,200}",
    re.I,
)
IMDB = re.compile(r"tt[0-9]{7,9}")
PLAIN = re.compile(r"[!-~]{1,255}")
ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def valid(system: str, value: str) -> bool:
    """Is the value well formed in its system?"""
    if system == "eidr":
        found = EIDR.fullmatch(value)
        return found is not None and check_character(found[1].replace("-", "")) == found[2]
    pattern = {"crid": CRID, "imdb": IMDB}.get(system, PLAIN)
    return pattern.fullmatch(value) is not None


def check_character(digits: str) -> str:
    """ISO 7064 MOD 37,36, a hybrid system: EIDR ID Format section 2.2."""
    product = 36
    for digit in digits:
        total = (product + ALPHABET.index(digit)) % 36 or 36
        product = total * 2 % 37
    return ALPHABET[(37 - product) % 36]
