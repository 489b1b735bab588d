"""One rule: whom it is for, and what it asks. Source: routing RT-3, RT-7, RT-9, RT-10."""

from typing import Annotated

from msgspec import Meta, Struct

MAX_TEXT_CHARS = 96
LOTS = 10_000  # a session's lot is 0..9999: hundredths of a percent

Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]{1,64}\Z")]
Text = Annotated[str, Meta(max_length=MAX_TEXT_CHARS)]
Weight = Annotated[float, Meta(ge=0, le=1_000_000)]


class Who(Struct, frozen=True, array_like=True, gc=False):
    """What rules may ask of a session."""

    content: str = ""
    tenant: str = ""
    region: str = ""
    device: str = ""
    isp: str = ""


class Rule(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """For sessions that match all of its conditions; an empty condition holds for everyone.

    `content` is the beginning of a path. `percent` takes that share of the sessions, always the
    same ones (a canary); the others go on to the next rule. `only` and `never` name pathways;
    `weights` divides sessions among pathways for good; `sticky` keeps a session where it is for as
    long as that works; `ttl_s` is their TTL. `off` ends steering for them, and players keep to that
    for what they play (ST-20).
    """

    name: Name
    content: Text = ""
    tenant: Text = ""
    region: Text = ""
    device: Text = ""
    isp: Text = ""
    percent: Annotated[float, Meta(ge=0, le=100)] = 100.0
    only: tuple[Name, ...] = ()
    never: tuple[Name, ...] = ()
    weights: dict[Name, Weight] = {}
    sticky: bool = False
    ttl_s: Annotated[int, Meta(ge=1, le=3600)] | None = None
    off: bool = False

    def meets(self, who: Who) -> bool:
        """Whether all conditions hold."""
        return (
            who.content.startswith(self.content)
            and self.tenant in ("", who.tenant)
            and self.region in ("", who.region)
            and self.device in ("", who.device)
            and self.isp in ("", who.isp)
        )

    def lots(self) -> float:
        """Sessions of lots below this are in its share."""
        return self.percent * (LOTS // 100)

    def names(self) -> set[str]:
        """Every pathway that it speaks of."""
        return {*self.only, *self.never, *self.weights}
