"""What a first request may choose, and what that makes of the rules: never more than they allow.

`cohort`, `filter`, `start` and `end` (of a window, as the origin takes them), `window` (seconds),
`drm` (`widevine|fairplay`), and `data-...` as rule sets name them.
Source: manifest-proxy MP-1, MP-10, MP-38; DASH-M2.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import cast, get_args
from urllib.parse import parse_qs, quote

import msgspec

import cat

from .errors import FilterError, ProxyError, SessionError
from .policy import PATHWAY_ID
from .rulebook import DrmRule, DrmSystem, Ruleset, pick
from .session import Chosen, canonical, narrowed, overlay

WINDOW = ("start", "end")
NAMES = ("cohort=", "filter=", "start=", "end=", "window=", "drm=", "data-")
INSTANT = re.compile(r"[0-9A-Za-z:.+-]{1,40}")
SECONDS = re.compile(r"[1-9][0-9]{0,7}")
DATUM = re.compile(r'[^"{}\x00-\x1f\x7f]{1,256}')
MAX_FIELDS = 64
NOTHING = Chosen()


def chosen(query: str, path: str, rulesets: Iterable[Ruleset], *, signing: bool) -> Chosen:
    """The choices of a first request; without `signing` windows are not bound, and the rest is
    refused.
    """
    if not any(name in query for name in NAMES):
        return NOTHING
    try:
        told = parse_qs(query, max_num_fields=MAX_FIELDS)
    except ValueError:
        raise ProxyError("query_too_long", f"more than {MAX_FIELDS} fields", status=414) from None
    given = {name: values[0] for name, values in told.items()}
    cohort = given.get("cohort", "")
    if cohort and not PATHWAY_ID.fullmatch(cohort):
        raise SessionError("cohort_malformed", "not the name of a cohort", status=400)
    made = Chosen(
        cohort,
        canonical(given.get("filter", "")),
        start=_instant(given, "start"),
        end=_instant(given, "end"),
        window_s=_window_s(given.get("window", "")),
        drm=_systems(given.get("drm", "")),
        data=_data(given, pick(rulesets, path, cohort)),
    )
    if not signing:
        if made._replace(start="", end="") != NOTHING:
            raise SessionError("session_unsigned", "this proxy has no secret to bind choices with")
        return NOTHING
    return NOTHING if made == NOTHING else made


def _instant(given: Mapping[str, str], name: str) -> str:
    text = given.get(name, "")
    if text and not INSTANT.fullmatch(text):
        raise ProxyError("window_malformed", f"`{name}` is no instant", status=400)
    return text


def _window_s(text: str) -> int:
    if text and not SECONDS.fullmatch(text):
        raise ProxyError("window_malformed", "`window` is no number of seconds", status=400)
    return int(text or "0")


def _systems(text: str) -> tuple[str, ...]:
    systems = tuple(sorted({one for one in text.lower().split("|") if one}))
    if not {*systems} <= {*get_args(DrmSystem)}:
        raise FilterError("filter_malformed", "`drm` names no known system", status=400)
    return systems


def _data(given: Mapping[str, str], rules: Ruleset | None) -> tuple[tuple[str, str], ...]:
    """Values by parameter, of those that the rule set asks for."""
    asked = {one.parameter for one in rules.session_data} if rules else set()
    found = tuple((name, given[name]) for name in sorted(asked & given.keys()))
    if not all(DATUM.fullmatch(value) for _, value in found):
        raise FilterError("filter_malformed", "a value of session data is too long", status=400)
    return found


def bound(rules: Ruleset | None, chosen: Chosen) -> Ruleset | None:
    """The rule set that was picked with what a session chose."""
    if chosen.filter:
        rules = narrowed(rules, overlay(chosen.filter))
    changes: dict[str, object] = {}
    base = rules or Ruleset("")
    if chosen.window_s:
        changes["window_s"] = min(chosen.window_s, base.window_s or chosen.window_s)
    if chosen.drm:
        changes["drm"] = _narrowed_drm(base.drm or DrmRule(), chosen.drm)
    if values := dict(chosen.data):
        changes["session_data"] = tuple(
            msgspec.structs.replace(one, value=values.get(one.parameter, one.value))
            for one in base.session_data
        )
    return msgspec.structs.replace(base, **changes) if changes else rules


def _narrowed_drm(drm: DrmRule, wanted: tuple[str, ...]) -> DrmRule:
    systems = tuple(one for one in wanted if not drm.systems or one in drm.systems)
    if not systems:
        raise FilterError("drm_empty", "no chosen DRM system is offered")
    return msgspec.structs.replace(drm, systems=cast(tuple[DrmSystem, ...], systems))


def windowed(found: cat.Found, chosen: Chosen) -> cat.Found:
    """The request with the session's window in its query, which its token is judged by as well."""
    if not chosen.start and not chosen.end:
        return found
    kept = [pair for pair in found.query.split("&") if pair.partition("=")[0] not in WINDOW]
    times = zip(WINDOW, (chosen.start, chosen.end), strict=True)
    mine = [f"{name}={quote(value, safe=':')}" for name, value in times if value]
    return replace(found, query="&".join([*filter(None, kept), *mine]))
