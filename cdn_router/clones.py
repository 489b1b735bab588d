"""Pathway clones: a CDN that the manifest does not name, described as a change to one it names.

Source: draft-pantos-hls-rfc8216bis-22 section 7.2; steering ST-15, ST-16.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit, urlunsplit

from .errors import EmitError
from .pathways import is_pathway_id

HOST = re.compile(r"(?=.{1,253}$)[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9-]+)*")
UNRESERVED = re.compile(r"[A-Za-z0-9._~-]*")  # players encode PARAMS again: nothing may change


@dataclass(frozen=True, slots=True)
class Clone:
    """`id` is `base_id` on another host, with parameters and single URIs replaced."""

    base_id: str
    id: str
    host: str
    params: Mapping[str, str] = field(default_factory=dict)
    per_variant_uris: Mapping[str, str] = field(default_factory=dict)
    per_rendition_uris: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, object]:
        replacement: dict[str, object] = {"HOST": self.host}
        for key, mapping in (
            ("PARAMS", self.params),
            ("PER-VARIANT-URIS", self.per_variant_uris),
            ("PER-RENDITION-URIS", self.per_rendition_uris),
        ):
            if mapping:
                replacement[key] = dict(mapping)
        return {"BASE-ID": self.base_id, "ID": self.id, "URI-REPLACEMENT": replacement}

    def uri(self, uri: str, *, variant_id: str = "", rendition_id: str = "") -> str:
        """An absolute URI of the base pathway as the clone's players ask for it (ST-16)."""
        own = self.per_variant_uris.get(variant_id) or self.per_rendition_uris.get(rendition_id)
        if own:
            return own
        parts = urlsplit(uri)
        port = f":{parts.port}" if parts.port else ""
        kept = [p for p in parts.query.split("&") if p and p.partition("=")[0] not in self.params]
        added = [f"{name}={self.params[name]}" for name in sorted(self.params, key=str.encode)]
        query = "&".join([*kept, *added])
        return urlunsplit((parts.scheme, self.host + port, parts.path, query, parts.fragment))


def check(clones: Sequence[Clone], declared: Collection[str]) -> None:
    """EmitError unless every player would accept the clones, in this order (ST-15)."""
    known = set(declared)
    for clone in clones:
        params = [*clone.params, *clone.params.values()]
        if not is_pathway_id(clone.id) or clone.id in known:
            raise EmitError("clone_id", f"{clone.id!r} is illegal or taken")
        if clone.base_id not in known:
            raise EmitError("clone_base", f"{clone.base_id!r} is no pathway or earlier clone")
        if not HOST.fullmatch(clone.host):
            raise EmitError("clone_host", f"{clone.host!r} is no host name")
        if not all(UNRESERVED.fullmatch(text) for text in params) or "" in clone.params:
            raise EmitError("clone_params", "only unreserved characters survive every player")
        known.add(clone.id)
