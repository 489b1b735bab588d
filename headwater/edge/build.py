"""One platform's bundles, with a manifest that says what is in them (E-1, E-58). Pure: sources and
settings in, bytes out; two builds are byte-equal.
"""

import hashlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from cat.javascript import javascript
from cat.tables import PROFILES
from headwater.edge import link, lint
from headwater.edge.compact import compact, literal, names_of
from headwater.edge.errors import BuildError
from headwater.edge.platforms import MEMBERS, PLATFORMS, Platform
from headwater.edge.shrink import shrink

TABLE: Final = "core/claims.generated.js"
DEFAULTS: Final[Mapping[str, Any]] = {
    "name": "headwater",
    "profile": "cta",
    "mode": "enforce",
    "issuers": [],
    "audiences": [],
    "require": ["exp"],
    "policies": [],
    "legacy": [],
    "logged": [],
    "cookie_origins": [],
    "redirects": False,
    "origins": None,
    "failover": [500, 502, 503, 504],
    "blackout_segment": 2,
    "blackout_closed": False,
}


@dataclass(frozen=True, slots=True)
class Bundle:
    """One script as it is uploaded."""

    name: str
    code: bytes
    limit_bytes: int
    claims: tuple[str, ...]

    @property
    def manifest(self) -> dict[str, object]:
        """What the bundle is and how much of its limit it takes."""
        return {
            "name": self.name,
            "sha256": hashlib.sha256(self.code).hexdigest(),
            "bytes": len(self.code),
            "limit_bytes": self.limit_bytes,
            "left_bytes": self.limit_bytes - len(self.code),
            "claims": list(self.claims),
        }


def build(
    platform: str,
    read: Callable[[str], str],
    settings: Mapping[str, Any] | None = None,
    claims: Collection[str] | None = None,
) -> list[Bundle]:
    """The bundles of a platform. `read` gives a source by its path under edge_scripts; `claims`
    are those the deployment needs. Raises BuildError where a limit or the language is passed.
    """
    target = PLATFORMS[platform]
    wanted = target.claims if claims is None else frozenset(claims)
    policy = {**DEFAULTS, **(settings or {})}
    if unknown := policy.keys() - DEFAULTS.keys():
        raise BuildError(f"there is no setting {', '.join(sorted(unknown))}")
    if policy["profile"] not in PROFILES:
        raise BuildError(f"profile is one of {', '.join(PROFILES)}")
    return [_bundle(target, script, read, policy, wanted) for script in target.scripts]


def _bundle(
    target: Platform,
    script: str,
    read: Callable[[str], str],
    policy: Mapping[str, Any],
    claims: frozenset[str],
) -> Bundle:
    def source(path: str) -> str:
        if path == TABLE:
            tight = compact(policy["profile"], claims)
            profiles = PROFILES if target.name == "fastly" else [policy["profile"]]
            return tight if target.small else javascript(profiles, claims)
        if path == f"{target.name}/config.js":
            held = {name: value for name, value in policy.items() if _is_read(name, policy, target)}
            return f"const config = {literal(held)};\nexport default config;\n"
        return read(path)

    swap = dict(target.swap)
    if target.small and not policy["legacy"]:
        swap["core/legacy.js"] = f"{target.name}/no-legacy.js"
    if target.small and not policy["blackout_segment"]:
        swap["core/blackout.js"] = f"{target.name}/no-blackout.js"
    if target.small and not policy["redirects"] and script == "viewer-request":
        swap[f"{target.name}/renew.js"] = f"{target.name}/no-renew.js"
    linked = link.link(f"{target.name}/{script}.js", source, swap)
    _cut(linked, target, policy["profile"], claims)
    prefix = f"{target.name}${script.replace('-', '_')}$"
    linked = link.needed(linked, [prefix + root for root in target.roots])
    code = shrink(linked, target.roots, MEMBERS if target.small else None).encode()
    if target.small:
        lint.check(code.decode())
    if len(code) > target.limit_bytes:
        raise BuildError(
            f"{target.name} {script} is {len(code)} bytes, {len(code) - target.limit_bytes} over "
            f"the limit; leave claims out of: {' '.join(sorted(claims))}"
        )
    return Bundle(script, code, target.limit_bytes, tuple(sorted(claims)))


def _cut(linked: link.Script, target: Platform, profile: str, claims: frozenset[str]) -> None:
    """Leave the forms and judges that no claim of the selection needs."""
    if target.small:
        shapes, judges = names_of(profile, claims)
        link.keep_members(linked, f"{target.name}$verify$SHAPES", shapes)
        link.keep_members(linked, f"{target.name}$verify$JUDGES", judges)


def _is_read(name: str, policy: Mapping[str, Any], target: Platform) -> bool:
    """Whether a script looks at a setting, given the others; where room is dear, only then it is
    written.
    """
    reasons = {"redirects": None, "failover": "origins", "blackout_closed": "blackout_segment"}
    return not target.small or name not in reasons or bool(policy.get(reasons[name] or "", False))
