"""The claim table for the edge scripts (CAT-32, E-58): JavaScript written from `cat.tables`.

`python -m cat.javascript > edge_scripts/core/claims.generated.js`

A bundle may hold a selection: one profile and some claims. A claim left out has no form and no
judge there; a token that has it is refused as `claim_unsupported`.
"""

import json
import sys
from collections.abc import Collection

from cat.shapes import JKT
from cat.tables import (
    ALGORITHM_TAGS,
    ALGORITHMS,
    COMPONENTS,
    CONTESTED,
    LIMITS,
    MATCHES,
    NOT_IN_SETS,
    PROFILES,
    REASONS,
    Claim,
    Profile,
)

_FUNCTIONS = """\
Object.keys(PROFILES).forEach((name) => {
    PROFILES[name].claims = PROFILES[name].rows.map((at) => CLAIMS[at]);
});

// The row of a label in a profile, or undefined.
function claim(profile, label) {
    return profile.claims.find((row) => row.label === label);
}

function status(reason) {
    return REASONS[reason];
}
"""


def javascript(
    profiles: Collection[str] = tuple(PROFILES), claims: Collection[str] | None = None
) -> str:
    """The module, byte for byte the same for the same tables; `claims` are the names of those a
    selection evaluates, None is all of them.
    """
    dialects = {name: PROFILES[name] for name in profiles}
    rows: list[Claim] = []
    for profile in dialects.values():
        rows += [claim for claim in profile.claims.values() if claim not in rows]
    names = {
        "ALGORITHMS": {
            number: {"name": name, "tag": ALGORITHM_TAGS[number]}
            for name, number in ALGORITHMS.items()
        },
        "REASONS": {reason.code: reason.status for reason in REASONS.values()},
        "JKT": JKT,
        "LIMITS": LIMITS._asdict(),
        "CONTESTED": sorted(CONTESTED),
        "NOT_IN_SETS": sorted(NOT_IN_SETS),
        "COMPONENTS": {number: name for name, number in COMPONENTS.items()},
        "MATCHES": {number: name for name, number in MATCHES.items()},
        "CLAIMS": [_row(claim, claims is None or claim.name in claims) for claim in rows],
        "PROFILES": {name: _profile(profile, rows) for name, profile in dialects.items()},
    }
    lines = [
        "// GENERATED from token/cat/tables.py. DO NOT MODIFY, use `python -m cat.javascript`.",
        "",
    ]
    lines += [f"const {name} = {_literal(value)};" for name, value in names.items()]
    exports = ", ".join(f"{name}: {name}" for name in names)
    lines += ["", _FUNCTIONS, f"export default {{ claim: claim, status: status, {exports} }};", ""]
    return "\n".join(lines)


def _row(claim: Claim, selected: bool) -> dict[str, object]:
    if not selected:
        claim = claim._replace(shape="any", judge="unsupported")
    wanted = ("label", "name", "shape", "step", "judge", "reason")
    return {name: value for name, value in claim._asdict().items() if name in wanted}


def _profile(profile: Profile, rows: list[Claim]) -> dict[str, object]:
    return {
        "extension_dot": profile.extension_dot,
        "parent_slash": profile.parent_slash,
        "text_labels": profile.text_labels,
        "rows": [rows.index(claim) for claim in profile.claims.values()],
    }


def _literal(value: object) -> str:
    if not isinstance(value, list) or not isinstance(value[0], dict):
        return json.dumps(value)
    return "[\n" + ",\n".join(f"    {json.dumps(row)}" for row in value) + "\n]"


if __name__ == "__main__":
    sys.stdout.write(javascript())
