"""What rules for faults make of the segments in a playlist or an MPD (MP-22).

A segment that fails at once gets a URL that says so; one that comes late or slowly one that names
its rule, for the proxy to hand it on as that says (faults).
"""

from collections.abc import Container, Sequence
from urllib.parse import unquote

from .hls_chaos import first_unlucky, spoiled
from .hls_watermark import is_media
from .mpd_listed import with_names
from .policy import Policy
from .rulebook import Chaos
from .urls import Origin, Url


def spoiled_hls(
    data: bytes, url: Url, origin: Origin, chaos: Sequence[Chaos], policy: Policy
) -> bytes:
    path = url.path.decode("utf-8", "replace")
    covering = [one if one.spoils and one.covers(path) else None for one in chaos]
    if not any(covering) or not is_media(data):
        return data

    def spoil(number: int, rule: int, reference: bytes) -> bytes:
        there = origin.public_path(url.join(reference))
        return _led(chaos[rule], rule, number, there, policy, asks=True) or reference

    return spoiled(data, covering, spoil)


def spoiled_mpd(
    data: bytes,
    url: Url,
    origin: Origin,
    chaos: Sequence[Chaos],
    policy: Policy,
    clips: Container[str] = (),
) -> bytes:
    if not any(one.spoils for one in chaos):
        return data
    return with_names(data, url, origin, Faults(chaos, policy), clips)


class Faults:
    """The names of segments that fail; templates of what is still to come stay as they are."""

    needed, numbered = False, True

    def __init__(self, chaos: Sequence[Chaos], policy: Policy) -> None:
        self._chaos = chaos
        self._policy = policy

    def _covering(self, path: str) -> list[Chaos | None]:
        there = unquote(path.partition("?")[0])
        return [one if one.spoils and one.covers(there) else None for one in self._chaos]

    def covers(self, path: str) -> bool:
        return any(self._covering(path))

    def listed(self, place: int, path: str, reference: str) -> str:
        rule = first_unlucky(self._covering(path), place)
        if rule is None:
            return reference
        there = path.encode() or None
        led = _led(self._chaos[rule], rule, place, there, self._policy, asks=False)
        return led.decode() if led else reference

    def templated(self, path: str, template: str) -> str:
        return template


def _led(
    chaos: Chaos, rule: int, number: int, path: bytes | None, policy: Policy, *, asks: bool
) -> bytes | None:
    """Nothing for a segment that is not the origin's."""
    if chaos.status is not None and not chaos.segment_delay_s:
        return f"{policy.chaos_url}/{chaos.status}/{number}".encode()
    return None if path is None else policy.fault(rule, path, asks=asks)
