"""MPEG transport stream segments for HLS (ISO/IEC 13818-1; ETSI TS 101 154): tables and packets."""

from native.mpegts.model import AAC, AC3, AVC, EAC3, Stream
from native.mpegts.packets import mux
from native.mpegts.psi import PSI_PIDS, tables

__all__ = ["AAC", "AC3", "AVC", "EAC3", "PSI_PIDS", "Stream", "mux", "tables"]
