"""Kernels of the CMCD collector."""

from native.cmcd.batch import Batch
from native.cmcd.ledger import MAX_STALL_MS, TURN_MS, UNKNOWN, Ledger
from native.cmcd.orderly import Orderly
from native.cmcd.report import Report
from native.cmcd.witness import Witness

__all__ = [
    "MAX_STALL_MS",
    "TURN_MS",
    "UNKNOWN",
    "Batch",
    "Ledger",
    "Orderly",
    "Report",
    "Witness",
]
