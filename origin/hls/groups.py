"""Audio groups: one for each way that the same choice of sound is coded (HLS-35, HLS-M29)."""

from collections.abc import Sequence
from dataclasses import dataclass

from origin.tracks import Rendition

Member = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AudioGroup:
    """A GROUP-ID with one rendition for every member, in the same order in every group."""

    name: str
    members: tuple[tuple[Member, Rendition], ...]
    default: Rendition


def member(r: Rendition) -> Member:
    """What a listener tells apart."""
    return (r.language, r.label, *r.roles)


def titles(members: Sequence[Member]) -> list[str]:
    """A unique NAME for each member: label or language, then roles, then a number. Equal members
    have equal names in every group (HLS-35).
    """
    found: list[str] = []
    for language, label, *roles in members:
        base = label or language
        told = " ".join(role for role in roles if role != "main")
        title = f"{base} ({told})" if told else base
        number = 2
        while title in found:
            title, number = f"{base} {number}", number + 1
        found.append(title)
    return found


def audio_groups(audio: Sequence[Rendition]) -> list[AudioGroup]:
    """Groups in order of appearance; codings that come out alike are one group."""
    codings: dict[tuple[str, str, int], dict[Member, Rendition]] = {}
    for r in audio:
        rank = 0
        while member(r) in codings.get((r.codecs, _layout(r), rank), {}):
            rank += 1
        codings.setdefault((r.codecs, _layout(r), rank), {})[member(r)] = r
    plain_first = sorted(audio, key=lambda r: r.roles != ("main",))
    members = list(dict.fromkeys(member(r) for r in plain_first))
    chosen = next((member(r) for r in plain_first if r.default), members[0] if members else ())
    groups: dict[tuple[str, ...], AudioGroup] = {}
    taken: set[str] = set()
    for (codecs, _, _), own in codings.items():
        whole = tuple((m, own.get(m) or _stand_in(m, codecs, codings)) for m in members)
        names = tuple(r.name for _, r in whole)
        if names in groups:
            continue
        name = _fresh(f"audio-{codecs.lower()}", taken)
        taken.add(name)
        groups[names] = AudioGroup(name, whole, dict(whole)[chosen])
    return list(groups.values())


def _layout(r: Rendition) -> str:
    return f"{r.channels}.{r.joc}"


def _stand_in(
    wanted: Member, codecs: str, codings: dict[tuple[str, str, int], dict[Member, Rendition]]
) -> Rendition:
    """The member in another coding, the same codec first."""
    found = sorted(codings, key=lambda coding: coding[0] != codecs)
    return next(codings[coding][wanted] for coding in found if wanted in codings[coding])


def _fresh(name: str, taken: set[str]) -> str:
    number = 2
    fresh = name
    while fresh in taken:
        fresh, number = f"{name}-{number}", number + 1
    return fresh
