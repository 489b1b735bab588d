"""How long CDNs may keep what the origin answers: one row per class of answer.

Defaults: specs/origin-http.md section 3. TD is the target duration of the playlists. Each class can
be overridden, and can carry the CDNs' own fields beside Cache-Control (O13).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from native.http import Refusal

YEAR_S = 31_536_000
RETRY = ("Retry-After", "1")
FIELDS = {  # setting -> header field, each a whole value of that field
    "cdn_cache_control": "CDN-Cache-Control",
    "surrogate_control": "Surrogate-Control",
    "edge_control": "Edge-Control",
}


class Class(StrEnum):
    """Classes of answers."""

    MANIFEST = "manifest"  # multivariant playlist, MPD
    PLAYLIST = "playlist"  # media playlist, not blocking
    BLOCKING = "blocking"  # media playlist that named what it wants
    BLOCKING_ERROR = "blocking_error"
    MEDIA = "media"  # header, finished segment, part
    MEDIA_ERROR = "media_error"
    EARLY = "early"  # not there yet, overload, hold expired
    GONE = "gone"
    PAST = "past"  # a time range that ended: its bytes never change


@dataclass(frozen=True, slots=True)
class Default:
    """max-age = fixed_s + per_target x TD, at least 1 s."""

    fixed_s: float = 0
    per_target: float = 0
    immutable: bool = False
    stale: bool = False  # may be served stale while revalidated, or on error (O13)


DEFAULTS: dict[Class, Default] = {
    Class.MANIFEST: Default(per_target=0.5, stale=True),  # B.1, MediaPackage: segment/2
    Class.PLAYLIST: Default(per_target=0.5, stale=True),  # rfc8216bis B.1
    Class.BLOCKING: Default(per_target=6),  # B.1
    Class.BLOCKING_ERROR: Default(per_target=4),  # B.1, HLS-43
    Class.MEDIA: Default(fixed_s=1_209_600, immutable=True),  # HLS-44
    Class.MEDIA_ERROR: Default(per_target=1),  # section 3
    Class.EARLY: Default(fixed_s=1),  # O5, HLS-43
    Class.GONE: Default(fixed_s=60),  # O6
    Class.PAST: Default(fixed_s=3600),
}


class Rule(BaseModel):
    """What a setting says of one class; None keeps the default."""

    model_config = ConfigDict(extra="forbid")
    max_age_s: int | None = Field(default=None, ge=0, le=YEAR_S)
    stale_while_revalidate_s: int | None = Field(default=None, ge=0, le=YEAR_S)
    stale_if_error_s: int | None = Field(default=None, ge=0, le=YEAR_S)
    cdn_cache_control: str = Field(default="", pattern=r"^[\x20-\x7e]*$")
    surrogate_control: str = Field(default="", pattern=r"^[\x20-\x7e]*$")
    edge_control: str = Field(default="", pattern=r"^[\x20-\x7e]*$")


class Caching:
    """The table after settings. `directives_in_key` is false for a CDN whose cache key drops the
    `_HLS_` directives: blocking answers then live 1 s (O23).
    """

    def __init__(
        self, rules: Mapping[Class, Rule] | None = None, *, directives_in_key: bool = True
    ) -> None:
        self._rules = dict(rules or {})
        self._directives_in_key = directives_in_key

    def control(self, kind: Class, target_s: float, *, left_s: float | None = None) -> str:
        """The Cache-Control value. `left_s`: until the object is removed, which bounds it (O22)."""
        default, rule = DEFAULTS[kind], self._rules.get(kind, Rule())
        age_s = int(max(default.fixed_s + default.per_target * target_s, 1))
        if kind in (Class.BLOCKING, Class.BLOCKING_ERROR) and not self._directives_in_key:
            age_s = 1
        age_s = age_s if rule.max_age_s is None else rule.max_age_s
        age_s = age_s if left_s is None else min(age_s, max(int(left_s), 0))
        parts = [f"public, max-age={age_s}"]
        parts += ["immutable"] if default.immutable else []
        if default.stale and rule.stale_while_revalidate_s is not None:
            parts.append(f"stale-while-revalidate={rule.stale_while_revalidate_s}")
        if default.stale and rule.stale_if_error_s is not None:
            parts.append(f"stale-if-error={rule.stale_if_error_s}")
        return ", ".join(parts)

    def refusal(
        self,
        status: int,
        code: str,
        kind: Class,
        target_s: float = 1,
        headers: Sequence[tuple[str, str]] = (),
    ) -> Refusal:
        """A refusal of this class; 503 tells when to come again (O5, O7)."""
        retry = [RETRY] if status == 503 else []
        control = self.control(kind, target_s)
        return Refusal(
            status, code, cache_control=control, headers=[*self.fields(kind), *retry, *headers]
        )

    def fields(self, kind: Class) -> list[tuple[str, str]]:
        """The CDNs' own fields of this class."""
        rule = self._rules.get(kind)
        if rule is None:
            return []
        return [(FIELDS[name], value) for name in FIELDS if (value := getattr(rule, name))]
