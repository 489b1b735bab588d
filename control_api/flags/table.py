"""Every flag, once. Section 12's degradations by hand: what is switched off here is answered as if
what stands behind it were down.
"""

from collections.abc import Mapping
from typing import NamedTuple

WHOLE = 100


class Flag(NamedTuple):
    """A switch, or a share of accounts in percent where `default` is a number. `viewers`: they are
    told by `/status` while it is not at its default.
    """

    default: bool | int
    viewers: bool
    means: str

    def takes(self, value: bool | int) -> bool:
        """Is it a value of this flag?"""
        return type(value) is type(self.default) and 0 <= value <= WHOLE


# fmt: off
TABLE: Mapping[str, Flag] = {
    "starts":     Flag(WHOLE, True,  "share of accounts that may start to play; what runs goes on"),
    "router":     Flag(True,  False, "starts ask the router; off: the configured order of CDNs"),
    "free_without_rights":
                  Flag(False, False, "free titles start for accounts that cannot be looked up"),
    "downloads":  Flag(True,  True,  "titles may be kept on devices, where their rights allow it"),
    "recordings": Flag(True,  True,  "new recordings and rules are taken; off: those there go on"),
    "rails":      Flag(True,  True,  "rows of titles are made; off: they are empty"),
    "search":     Flag(True,  True,  "words are searched for; off: 503, and nothing is suggested"),
    "webhooks":   Flag(True,  False, "messages to endpoints are sent; off: they wait"),
}
# fmt: on
