"""Films under keys from outside: a CPIX document or a SPEKE server (PR-95, PR-101, PR-104)."""

import asyncio
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from origin.protection.contract import Contract
from origin.protection.cpix_rules import Context
from origin.protection.cpix_source import CpixSource
from origin.protection.keyfile import KeyFile
from origin.protection.keys import ContentKey, Scheme, distinct
from origin.protection.sealer import Sealer
from origin.protection.source import Grant
from origin.protection.sources import outside
from origin.protection.speke_source import SpekeSource
from origin.protection.titles import opened, settle
from origin.settings import Protection
from origin.tracks import Rendition
from origin.vod.catalog import folder

PROTECTED = ("video", "audio")


def protect_from(
    data_dir: Path, title: str, scheme: Scheme, settings: Protection, source: str
) -> list[ContentKey]:
    """Put a registered title under the keys of `speke` or `cpix:PATH`, one scheme at a time; its
    other schemes stay. OriginError when there is no key for a track, or a track cannot be sealed.
    """
    home = folder(data_dir, title)
    policy, tracks = opened(home, title)
    renditions = {tag: t.rendition for tag, t in tracks.items() if t.rendition.kind in PROTECTED}
    file = KeyFile.open(settings, data_dir, create=True)
    keys = outside(source, settings, file)
    if isinstance(keys, CpixSource):
        grants = _of_document(keys, title, scheme, renditions)
        packets = keys.transport(title, scheme)
    else:
        contract = Contract(settings.speke.video, settings.speke.audio)
        grants = _of_server(keys, contract, title, scheme, renditions)
        packets = asyncio.run(keys.transport(title))
    for tag, grant in grants.items():
        Sealer(tracks[tag].init, grant.key)
    policy.kids[scheme] = {tag: "" for tag in renditions} | {
        tag: grant.key.kid.hex() for tag, grant in grants.items()
    }
    policy.transport[scheme] = packets.kid.hex() if packets is not None else ""
    policy.schemes = list(dict.fromkeys([*policy.schemes, scheme]))
    settle(home, policy)
    return distinct({grant.key.kid: grant.key for grant in grants.values()}.values())


def _of_document(
    source: CpixSource, title: str, scheme: Scheme, renditions: dict[str, Rendition]
) -> dict[str, Grant]:
    """Tracks of one key share its role, named after the first of them."""
    found = source.chosen(title, scheme, {tag: _context(r) for tag, r in renditions.items()})
    roles: dict[bytes, str] = {}
    for tag, grant in found.items():
        role = roles.setdefault(grant.key.kid, renditions[tag].name)
        found[tag] = replace(grant, key=replace(grant.key, role=role))
    source.keep(found.values())
    return found


def _of_server(
    source: SpekeSource,
    contract: Contract,
    title: str,
    scheme: Scheme,
    renditions: dict[str, Rendition],
) -> dict[str, Grant]:
    types = {tag: contract.track_type(r).lower() for tag, r in renditions.items()}
    roles = sorted(set(types.values()) - {""})
    grants = asyncio.run(source.keys(title, scheme, 0, roles))
    return {tag: grants[role] for tag, role in types.items() if role}


def _context(r: Rendition) -> Context:
    if r.kind == "audio":
        return Context("audio", channels=r.channels, bitrate=r.bandwidth)
    rate = r.frame_rate or Fraction(0)
    return Context("video", r.width, r.height, rate, bitrate=r.bandwidth)
