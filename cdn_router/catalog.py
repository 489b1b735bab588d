"""Policies by name: what plans and settings may choose."""

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
