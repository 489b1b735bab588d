"""The claim table for the edge scripts (CAT-32, E-58): JavaScript written from `cat.tables`.

`python -m cat.javascript > edge_scripts/core/claims.generated.js`
"""

import json
import sys

from cat.shapes import JKT
from cat.tables import (
    ALGORITHMS,
    COMPONENTS,
    CONTESTED,
    LIMITS,
    MATCHES,
    NOT_IN_SETS,
    PROFILES,
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
"""


def javascript() -> str:
    """The whole module, byte for byte the same for the same tables."""
    rows: list[Claim] = []
    for profile in PROFILES.values():
        rows += [claim for claim in profile.claims.values() if claim not in rows]
    names = {
        "HS256": ALGORITHMS["HS256"],
        "JKT": JKT,
        "LIMITS": LIMITS._asdict(),
        "CONTESTED": sorted(CONTESTED),
        "NOT_IN_SETS": sorted(NOT_IN_SETS),
        "COMPONENTS": {number: name for name, number in COMPONENTS.items()},
        "MATCHES": {number: name for name, number in MATCHES.items()},
        "CLAIMS": [_row(claim) for claim in rows],
        "PROFILES": {name: _profile(profile, rows) for name, profile in PROFILES.items()},
    }
    lines = [
        "// GENERATED from token/cat/tables.py. DO NOT MODIFY, use `python -m cat.javascript`.",
        "",
    ]
    lines += [f"const {name} = {_literal(value)};" for name, value in names.items()]
    exports = ", ".join(f"{name}: {name}" for name in names)
    lines += ["", _FUNCTIONS, f"export default {{ claim: claim, {exports} }};", ""]
    return "\n".join(lines)


def _row(claim: Claim) -> dict[str, object]:
    wanted = ("label", "name", "shape", "judge", "reason")
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
