"""Secrets never leave: one masking rule for logs and for `headwater config`.

A name in `SECRET_NAMES` hides its whole value. Any other text is searched for the places where this
stack carries secrets: the `CAT` query parameter and the `/cat:TOKEN/` path segment (CTA-5007
transports, CAT-90..94), a bearer credential, a password inside a URL, and runs of characters that
look like a token wherever they stand.
"""

import re
from collections.abc import Mapping
from typing import Any

MASK = "[redacted]"
MAX_DEPTH = 8

SECRET_NAMES = frozenset(
    {
        "authorization",
        "cat",
        "cookie",
        "cta-common-access-token",
        "cta_common_access_token",
        "key",
        "password",
        "secret",
        "set-cookie",
        "token",
    }
)
SECRET_ENDINGS = ("_token", "_secret", "_password", "_key", "-token", "-key")

_QUERY = re.compile(
    r"(?i)([?&;](?:cat|sig|signature|pin|(?:[a-z0-9_-]*[_-])?(?:token|key|password|secret))=)"
    r"[^&;\s\"']*"
)
_PATH = re.compile(r"(?i)(/cat:)[^/?#\s\"']+")
_BEARER = re.compile(r"(?i)\b(bearer|basic|dpop) +[A-Za-z0-9+/_~.=-]{8,}")
_URL_PASSWORD = re.compile(r"(://[^:/@\s]*:)[^@/\s]+@")
SHORTEST_RUN = 40
_RUN = re.compile(rf"[A-Za-z0-9_-]{{{SHORTEST_RUN},}}")
_HEX = re.compile(r"[0-9a-fA-F-]+")
LONGEST_DIGEST = 128  # hex digits of SHA-512; a longer hex run is a token, not a digest


def _run(match: re.Match[str]) -> str:
    run = match[0]
    if _HEX.fullmatch(run):
        return MASK if len(run) > LONGEST_DIGEST else run
    mixed = any(c.isdigit() for c in run) and run.lower() != run and run.upper() != run
    return MASK if mixed else run


def text(value: str) -> str:
    """The text with every secret in it masked. Most text has not even the signs of one."""
    if "=" in value:
        value = _QUERY.sub(rf"\1{MASK}", value)
    if ":" in value:
        value = _PATH.sub(rf"\1{MASK}", value)
        value = _URL_PASSWORD.sub(rf"\1{MASK}@", value)
    if " " in value:
        value = _BEARER.sub(rf"\1 {MASK}", value)
    return _RUN.sub(_run, value) if len(value) >= SHORTEST_RUN else value


def is_secret(name: str) -> bool:
    """Does a field of this name hold a secret as a whole?"""
    lower = name.lower()
    return lower in SECRET_NAMES or lower.endswith(SECRET_ENDINGS)


def tree(value: Any, name: str = "", depth: int = MAX_DEPTH) -> Any:
    """A copy of nested mappings and sequences with secrets masked; deeper than `depth` becomes the
    mask itself.
    """
    if value is None or isinstance(value, bool):
        return value
    if is_secret(name):
        return MASK if value != "" else value
    if isinstance(value, int | float):
        return value
    if isinstance(value, str):
        return text(value)
    if depth == 0:
        return MASK
    if isinstance(value, Mapping):
        return {k: tree(v, str(k), depth - 1) for k, v in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [tree(v, name, depth - 1) for v in value]
    return text(str(value))
