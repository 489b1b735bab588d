"""A local host of Fastly Compute services: real wasm on wasmtime, with the platform's host calls
(E-20..E-22; witx of fastly/Viceroy, read 2026-08).
"""

from headwater.edge.compute.exchange import Answer, Backend, Exchange, Stores
from headwater.edge.compute.service import Service
from headwater.edge.compute.toolchain import compiled

__all__ = ["Answer", "Backend", "Exchange", "Service", "Stores", "compiled"]
