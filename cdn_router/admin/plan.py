"""A plan: policy, rules and the stand of pathways, with a generation and an end.

Source: routing RT-9, RT-10, RT-14.
"""

from collections.abc import Collection
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from ..clones import Clone
from ..clones import check as check_clones
from ..errors import EmitError, RequestError
from ..pathways import Admin
from ..policy import NAME as STATIC
from ..rules.rule import Name, Rule, Text

MAX_RULES = 1_000
MAX_NAMES = 64

Ms = Annotated[int, Meta(ge=0, le=1 << 53)]
StableId = Annotated[str, Meta(pattern=r"^[A-Za-z0-9+/=._-]{1,128}\Z")]
Uri = Annotated[str, Meta(pattern=r"^https?://[!#-;=?-~]{1,1000}\Z")]
Uris = Annotated[dict[StableId, Uri], Meta(max_length=MAX_NAMES)]


class CloneSpec(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A CDN that manifests do not name (ST-15). Of variants and renditions with a stable ID (ST-3)
    HLS players may be given other URIs (ST-16).
    """

    base_id: Name
    id: Name
    host: Annotated[str, Meta(max_length=253)]
    params: dict[Text, Text] = {}
    per_variant_uris: Uris = {}
    per_rendition_uris: Uris = {}

    def clone(self) -> Clone:
        return Clone(
            self.base_id,
            self.id,
            self.host,
            self.params,
            self.per_variant_uris,
            self.per_rendition_uris,
        )


class Window(Struct, frozen=True, forbid_unknown_fields=True):
    """Maintenance: the pathway is drained from then until then."""

    pathway: Name
    from_ms: Ms
    until_ms: Ms


class Plan(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What an operator wants. `generation` grows with every plan; after `expires_ms` the settings'
    own plan holds again. `fallback` is the kill switch: the static policy alone, no rules.
    """

    generation: Annotated[int, Meta(ge=0, le=1 << 53)] = 0
    policy: Name = STATIC
    rules: Annotated[tuple[Rule, ...], Meta(max_length=MAX_RULES)] = ()
    stands: Annotated[dict[Name, Admin], Meta(max_length=MAX_NAMES)] = {}
    windows: Annotated[tuple[Window, ...], Meta(max_length=MAX_NAMES)] = ()
    clones: Annotated[tuple[CloneSpec, ...], Meta(max_length=MAX_NAMES)] = ()
    ttl_s: Annotated[int, Meta(ge=1, le=3600)] | None = None
    fallback: bool = False
    expires_ms: Ms | None = None
    author: Text = ""
    note: Annotated[str, Meta(max_length=512)] = ""
    kind: Literal["plan"] = "plan"

    def check(self, pathways: Collection[str], policies: Collection[str]) -> None:
        """RequestError for what names nothing here, or would break a player."""
        if self.policy not in policies:
            raise RequestError("policy_unknown", f"one of {', '.join(sorted(policies))}")
        try:
            check_clones([spec.clone() for spec in self.clones], pathways)
        except EmitError as error:
            raise RequestError(error.code, error.detail) from None
        known = {*pathways, *(spec.id for spec in self.clones)}
        named = {*self.stands, *(window.pathway for window in self.windows)}
        for rule in self.rules:
            named |= rule.names()
        if named - known:
            raise RequestError("pathway_unknown", ", ".join(sorted(named - known)))
        names = [rule.name for rule in self.rules]
        if len(set(names)) < len(names):
            raise RequestError("rule_twice", "rules have names of their own")

    def precedence(self) -> tuple[int, bytes]:
        """The greater one goes first; without a generation it is nobody's wish."""
        return self.generation, msgspec.json.encode(self) if self.generation else b""

    def stand(self, pathway: str, now_ms: int) -> Admin:
        """What is wanted of a pathway now; a maintenance window drains what is enabled."""
        said = self.stands.get(pathway, Admin.ENABLED)
        if said is Admin.ENABLED and any(
            window.pathway == pathway and window.from_ms <= now_ms < window.until_ms
            for window in self.windows
        ):
            return Admin.DRAINED
        return said
