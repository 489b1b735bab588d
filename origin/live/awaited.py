"""What a request waits for."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

from native.http import Entity, Growing, Refusal

Found = Entity | Refusal | Growing


@dataclass(frozen=True, slots=True)
class Awaited:
    """An answer that a coming change of the channel will give. Equal keys share one gate (O19).

    `answer` tells it, or None while there is more to wait for; after `limit_s` seconds of silence
    the request gets `late`.
    """

    channel: str
    key: Hashable
    limit_s: float = field(compare=False)
    late: Refusal = field(compare=False)
    answer: Callable[[], Found | None] = field(compare=False)
