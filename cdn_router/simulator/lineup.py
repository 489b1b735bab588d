"""The policies by name: those a router may run, and the references that know the truth."""

from ..catalog import POLICIES
from ..errors import RequestError
from ..policies.face import Policy
from .oracles import Floor, Flow, Greedy

# Of the flow oracle: points that a $ per TB is worth, from a little to a lot.
POINTS = (0.5, 1.0, 2.0)
REFERENCES = ("oracle", "flow-oracle", "floor")  # A9, A10, A11
FALLBACK, ORACLE, FLOOR = "round-robin-probes", "oracle", "floor"  # A3, A9, A11


def named(name: str) -> Policy:
    """A policy or a reference, fresh; `flow-oracle@P` trades points for price. RequestError."""
    if name in POLICIES:
        return POLICIES[name]
    kind, _, points = name.partition("@")
    if kind == "oracle":
        return Greedy()
    if kind == "flow-oracle":
        return Flow(name, float(points or 0.0))
    if kind == "floor":
        return Floor()
    known = ", ".join((*POLICIES, *REFERENCES))
    raise RequestError("policy_unknown", f"{name!r} is none of: {known}")


def everyone() -> tuple[str, ...]:
    return (*POLICIES, *REFERENCES)
