"""Issuing (CAT-121): deterministic CBOR, tag 61, alg protected, kid unprotected, and no token our
own verifier refuses.
"""

import secrets
from collections.abc import Callable, Mapping
from typing import Any

from cat import cbor, cose
from cat.cbor import CborError, Value
from cat.errors import IssueError
from cat.keys import Key
from cat.shapes import SHAPES
from cat.tables import ALGORITHM_TAGS, COMPONENTS, LABELS, LIMITS, MATCHES, PROFILES
from cat.text import to_text

CTI_BYTES = 16


def issue(
    claims: Mapping[str | int, Any],
    key: Key,
    *,
    profile: str = "cta",
    entropy: Callable[[int], bytes] = secrets.token_bytes,
) -> str:
    """A token in transport form. Claims go by name or label; catu and cath take names of components
    and matches too.

    catv 1 and a random cti are added; exp is required. `{"catu": {"path": {"prefix": "/live/"}}}`
    reads as it sounds.
    """
    if key.secret is None:
        raise IssueError(f"key {key.kid} cannot sign: it has no private part")
    if key.weak:
        raise IssueError(f"key {key.kid} is shorter than 32 bytes")
    labelled = {_label(name): _named(name, value) for name, value in claims.items()}
    labelled.setdefault(LABELS["catv"], 1)
    labelled.setdefault(LABELS["cti"], entropy(CTI_BYTES))
    if LABELS["exp"] not in labelled:
        raise IssueError("exp is required")
    try:
        payload = cbor.encode(labelled)
        decoded = cbor.decode(payload)
    except CborError as error:
        raise IssueError(f"the claims have no CBOR form: {error}") from None
    assert isinstance(decoded, dict)
    _check_forms(decoded, profile)
    number = key.algorithm.number
    protected = cbor.encode({cose.ALG: number})
    tag = ALGORITHM_TAGS[number]
    seal = key.algorithm.seal(key.secret, cose.sealed_structure(tag, protected, payload))
    token = to_text(cose.build(tag, protected, key.kid.encode(), payload, seal))
    if len(token) > LIMITS.encoded_chars:
        raise IssueError(f"the token would be longer than {LIMITS.encoded_chars} characters")
    return token


def _check_forms(claims: Mapping[Value, Value], profile: str) -> None:
    dialect = PROFILES[profile]
    for label, value in claims.items():
        claim = dialect.claims.get(label) if isinstance(label, int) else None
        if claim is not None and not SHAPES[claim.shape](value, dialect):
            raise IssueError(f"{claim.name} has the wrong form")


def _label(name: str | int) -> int:
    if isinstance(name, int):
        return name
    if name not in LABELS:
        raise IssueError(f"there is no claim {name}")
    return LABELS[name]


def _named(name: str | int, value: Any) -> Any:
    if name in ("catu", LABELS["catu"]) and isinstance(value, Mapping):
        return {COMPONENTS.get(part, part): _matches(rules) for part, rules in value.items()}
    if name in ("cath", LABELS["cath"]) and isinstance(value, Mapping):
        return {header: _matches(rules) for header, rules in value.items()}
    return value


def _matches(rules: Any) -> Any:
    if not isinstance(rules, Mapping):
        return rules
    return {MATCHES.get(kind, kind): value for kind, value in rules.items()}
