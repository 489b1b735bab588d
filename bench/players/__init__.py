"""Players as pure models: clock, sleep and fetch come in as arguments, reports come out.

`bench/locustfile.py` gives them a wall clock and sockets; tests give them a clock that only they
move. A shield is a fetch in front of a fetch, so that any player can stand behind one.
"""

from bench.players.buffer import Buffer
from bench.players.ladder import Throughput, Variant, choose
from bench.players.live import LivePlayer, LowLatencyPlayer
from bench.players.report import Answer, Report
from bench.players.shield import Shield
from bench.players.steered import SteeredPlayer
from bench.players.vod import VodPlayer

__all__ = [
    "Answer",
    "Buffer",
    "LivePlayer",
    "LowLatencyPlayer",
    "Report",
    "Shield",
    "SteeredPlayer",
    "Throughput",
    "Variant",
    "VodPlayer",
    "choose",
]
