"""The claim table in the least room, for a bundle under a tight limit (CAT-32, E-58)."""

import json
import string
from collections.abc import Collection, Iterable
from typing import Final

from cat.tables import COMPONENTS, CONTESTED, LIMITS, PROFILES, REASONS, Claim

ANY: Final = "any"
PASS: Final = "pass"
UNSUPPORTED: Final = "unsupported"
_ROWS: Final = """\
const ROWS = TABLE.split('|').map((line) => {
    const row = line.split(' ');
    return {
        label: +row[0], name: row[1], step: +row[2], shape: row[3] || '%(any)s',
        judge: row[4] || '%(unsupported)s', reason: row[5]
    };
});
"""


def letters(names: Iterable[str]) -> dict[str, str]:
    """A letter for each name, the same for the same names."""
    return dict(zip(sorted(set(names)), string.ascii_lowercase, strict=False))


def compact(profile: str, claims: Collection[str]) -> str:
    """The module: rows in order of evaluation, forms and judges by their letters; a row without
    them is a claim left out.
    """
    dialect = PROFILES[profile]
    shapes, judges = names_of(profile, claims)
    rows = [
        f"{row.label} {row.name} {row.step}"
        + (
            f" {shapes[row.shape]} {judges[row.judge or PASS]} {row.reason}"
            if _fits(row, claims)
            else ""
        )
        for row in dialect.claims.values()
    ]
    forbidden = [reason.code for reason in REASONS.values() if reason.status == 403]
    used = {row.reason for row in dialect.claims.values() if _fits(row, claims)}
    used |= {"claim_unsupported", "claim_contested", "revoked"}
    names = {
        "TABLE": "|".join(row.rstrip() for row in rows),
        "COMPONENTS": [name for name, _ in sorted(COMPONENTS.items(), key=lambda item: item[1])],
        "CONTESTED": sorted(CONTESTED - dialect.claims.keys()),
        "LIMITS": {"encoded_chars": LIMITS.encoded_chars, "candidates": LIMITS.candidates},
        "FORBIDDEN": [code for code in forbidden if code in used],
        "PROFILE": {
            "extension_dot": dialect.extension_dot,
            "parent_slash": dialect.parent_slash,
        },
        "PROFILES": {},
    }
    lines = [f"const {name} = {literal(value)};" for name, value in names.items()]
    exports = ", ".join(f"{name}: {name}" for name in [*names, "ROWS", "status"])
    status = (
        "const status = (reason) => reason === 'blackout' ? 451 : reason === 'store' ? 503 : "
        "FORBIDDEN.indexOf(reason) < 0 ? 401 : 403;"
    )
    return "\n".join(
        [
            *lines,
            _ROWS % {ANY: shapes[ANY], UNSUPPORTED: judges[UNSUPPORTED]},
            status,
            f"export default {{ {exports} }};",
            "",
        ]
    )


def names_of(profile: str, claims: Collection[str]) -> tuple[dict[str, str], dict[str, str]]:
    """The letters of the forms and of the judges that a selection needs."""
    rows = [row for row in PROFILES[profile].claims.values() if _fits(row, claims)]
    shapes = letters([ANY, *(row.shape for row in rows)])
    return shapes, letters([UNSUPPORTED, *(row.judge or PASS for row in rows)])


def _fits(row: Claim, claims: Collection[str]) -> bool:
    """Whether a small bundle evaluates the claim: what the documentation's profile adds is too
    much for it.
    """
    return row.name in claims and not row.shape.startswith("docs_")


def literal(value: object) -> str:
    """JavaScript of JSON values with bare keys; lists of words as one text."""
    if isinstance(value, list) and len(value) > 3 and all(type(item) is str for item in value):
        return f"{json.dumps(' '.join(value))}.split(' ')"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}: {literal(inner)}" for name, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(literal, value)) + "]"
    return json.dumps(value)
