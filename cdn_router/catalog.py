"""Policies by name: what plans and settings may choose, and earlier versions for replays."""

from .policies.bandits import Ducb, Thompson, Ucb1
from .policies.classics import Ewma, RoundRobin, Static, Weighted
from .policies.face import Policy
from .policies.ours import Headwater

CHOICES: tuple[Policy, ...] = (
    Static(),
    Weighted(),
    RoundRobin(),
    RoundRobin(name="round-robin-probes", probes=True),
    Ewma(),
    Ewma(name="ewma-global", grouped=False),  # all cells alike: shows herding
    Ucb1(),
    Ducb(),
    Thompson(),
    Headwater(),
)
POLICIES: dict[str, Policy] = {policy.name: policy for policy in CHOICES}
EARLIER: dict[str, Policy] = {
    "headwater@5": Headwater(version=5, width=1.0, haste=6.5, alarm=8.0, price=0.37, crowding=0.0)
}
