"""The policies by name, and who of them are references that know the truth."""

from collections.abc import Callable

from ..policies.bandits import Ducb, Thompson, Ucb1
from ..policies.classics import Ewma, RoundRobin, Static, Weighted
from ..policies.face import Policy
from ..policies.ours import Headwater
from .oracles import Floor, Flow, Greedy

LINEUP: dict[str, Callable[[], Policy]] = {
    "static": Static,  # A1
    "weighted": Weighted,
    "round-robin": RoundRobin,  # A2
    "rr-probes": lambda: RoundRobin(name="rr-probes", probes=True),  # A3
    "ewma-global": lambda: Ewma(name="ewma-global", grouped=False),  # A4
    "ewma": Ewma,
    "ucb1": Ucb1,  # A5
    "d-ucb": Ducb,  # A6
    "d-thompson": Thompson,  # A7
    "headwater": Headwater,  # A8
    "oracle": Greedy,  # A9
    "flow-oracle": Flow,  # A10
    "floor": Floor,  # A11
}
REFERENCES = frozenset({"oracle", "flow-oracle", "floor"})
