"""How far the clock of a node is ahead of the reader's, by the times in its messages.

A message takes its time on the way and in the queue of a reader that is held up: what it tells of
the clock is too little by that, never too much. So the most that was told of late holds. Messages
come in the order in which they were sent: a clock that is put back shows at once.
"""

from typing import NamedTuple

from .sums import SKEW_S

SPAN_S = 10.0  # of the node's time


class Lead(NamedTuple):
    """`since_s` and `latest_s` are times of the node: when this span began, and its last message;
    `before_s` and `now_s` the most it was ahead in the span before and in this one.
    """

    since_s: float
    latest_s: float
    before_s: float
    now_s: float

    @property
    def ahead_s(self) -> float:
        return max(self.before_s, self.now_s)


def led(lead: Lead | None, told_s: float, here_s: float) -> Lead:
    """What is known after a message that was sent at `told_s` of its node and read at `here_s`."""
    ahead_s = told_s - here_s
    if lead is None or told_s < lead.latest_s - SKEW_S:
        return Lead(told_s, told_s, ahead_s, ahead_s)
    if told_s - lead.since_s > SPAN_S:
        return Lead(told_s, told_s, lead.now_s, ahead_s)
    return lead._replace(latest_s=told_s, now_s=max(lead.now_s, ahead_s))
