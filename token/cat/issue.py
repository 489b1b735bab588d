"""Issuing (CAT-121): deterministic CBOR, tag 61, alg protected, kid unprotected, and no token our
own verifier refuses.
"""

import secrets
from collections.abc import Callable, Mapping
from typing import Any, Literal

from cat import cose, network
from cat.algorithms import CIPHERS
from cat.errors import IssueError
from cat.keys import Key
from cat.mint import seal, written
from cat.renewal import CTI_BYTES, DEADLINE, DEADLINE_S, EXPADD, TYPE, Delivery
from cat.shapes import ABSOLUTE_DEADLINE
from cat.tables import COMPONENTS, LABELS, LIMITS, MATCHES, PROFILES
from cat.text import from_text, to_text


def issue(
    claims: Mapping[str | int, Any],
    key: Key,
    *,
    profile: str = "cta",
    catnip_form: network.Form = "trimmed",
    cti: Literal["bstr", "text"] = "bstr",
    entropy: Callable[[int], bytes] = secrets.token_bytes,
) -> str:
    """A token in transport form. Claims go by name or label; catu and cath take names of components
    and matches too, catnip takes prefixes as text.

    catv 1 and a random cti are added; exp is required. `{"catu": {"path": {"prefix": "/live/"}}}`
    reads as it sounds. `catnip_form` and `cti` suit other readers (CAT-122): a cti of text is hex,
    and only a profile that knows it takes it.
    """
    return seal(
        payload_of(claims, profile=profile, catnip_form=catnip_form, cti=cti, entropy=entropy), key
    )


def payload_of(
    claims: Mapping[str | int, Any],
    *,
    profile: str = "cta",
    catnip_form: network.Form = "trimmed",
    cti: Literal["bstr", "text"] = "bstr",
    entropy: Callable[[int], bytes] = secrets.token_bytes,
) -> bytes:
    """The claims of a token to issue, for a signer elsewhere."""
    labelled = {_label(name): _named(name, value) for name, value in claims.items()}
    labelled.setdefault(LABELS["catv"], 1)
    labelled.setdefault(LABELS["cti"], entropy(CTI_BYTES))
    if LABELS["exp"] not in labelled:
        raise IssueError("exp is required")
    identity, entries = labelled[LABELS["cti"]], labelled.get(LABELS["catnip"])
    if cti == "text" and isinstance(identity, bytes):
        labelled[LABELS["cti"]] = identity.hex()
    if isinstance(entries, list | tuple):
        try:
            labelled[LABELS["catnip"]] = [network.written(one, catnip_form) for one in entries]
        except ValueError:
            raise IssueError("catnip has a text that is no address and no prefix") from None
    _check_renewal(labelled)
    return written(labelled, PROFILES[profile])


def encrypt(
    token: str | bytes, key: Key, *, entropy: Callable[[int], bytes] = secrets.token_bytes
) -> str:
    """A token (or, for a key marked `issuer`, a claims map) inside COSE_Encrypt0 (CAT-12)."""
    if key.alg not in CIPHERS or not isinstance(key.secret, bytes):
        raise IssueError(f"key {key.kid} does not encrypt")
    plain = from_text(token) if isinstance(token, str) else token
    kid, iv = key.kid.encode(), entropy(cose.IV_BYTES)
    text = to_text(cose.encrypt(key.number, kid, key.secret, iv, plain))
    if len(text) > LIMITS.encoded_chars:
        raise IssueError(f"the token would be longer than {LIMITS.encoded_chars} characters")
    return text


def _check_renewal(claims: Mapping[int, Any]) -> None:
    """A redirect whose successor would be due at once goes round for ever (CAT-55)."""
    rules = claims.get(LABELS["catr"])
    if isinstance(rules, Mapping) and rules.get(TYPE) == Delivery.REDIRECT:
        deadline = rules.get(DEADLINE, DEADLINE_S)
        if deadline > ABSOLUTE_DEADLINE or rules.get(EXPADD, 0) <= deadline:
            raise IssueError("catr by redirect needs an expadd above its deadline")


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
