"""WASI preview 1, as far as a Compute service goes: output, a clock that is given, random bytes."""

import os
import struct
from typing import Final

from headwater.edge.compute.abi import OK, call
from headwater.edge.compute.session import Ended, Session

WASI: Final = "wasi_snapshot_preview1"
BAD_FILE: Final = 8
NO_SYSTEM_CALL: Final = 52
OUTPUTS: Final = (1, 2)


@call(WASI, "fd_write")
def fd_write(s: Session, file: int, vectors: int, count: int, written_at: int) -> int:
    if file not in OUTPUTS:
        return BAD_FILE
    words = s.memory.words(vectors, 2 * count)
    data = b"".join(s.memory.read(*words[at : at + 2]) for at in range(0, len(words), 2))
    *lines, s.output = (s.output + data).split(b"\n")
    s.exchange.logged += [line.decode("utf-8", "replace") for line in lines]
    s.memory.u32(written_at, len(data))
    return OK


@call(WASI, "clock_time_get")
def clock_time_get(s: Session, clock: int, precision: int, at: int) -> int:
    s.memory.u64(at, int(s.exchange.now * 1000) * 1_000_000)
    return OK


@call(WASI, "clock_res_get")
def clock_res_get(s: Session, clock: int, at: int) -> int:
    s.memory.u64(at, 1_000_000)
    return OK


@call(WASI, "random_get")
def random_get(s: Session, at: int, length: int) -> int:
    s.memory.write(at, os.urandom(length))
    return OK


@call(WASI, "environ_sizes_get")
@call(WASI, "args_sizes_get")
def sizes_get(s: Session, count_at: int, size_at: int) -> int:
    s.memory.u32(count_at, 0)
    s.memory.u32(size_at, 0)
    return OK


@call(WASI, "environ_get")
@call(WASI, "args_get")
def texts_get(s: Session, pointers: int, texts: int) -> int:
    return OK


@call(WASI, "fd_fdstat_get")
def fd_fdstat_get(s: Session, file: int, at: int) -> int:
    if file not in OUTPUTS:
        return BAD_FILE
    s.memory.write(at, struct.pack("<BxHxxxxQQ", 2, 0, 64, 0))  # character device, may write
    return OK


@call(WASI, "fd_prestat_get")
def fd_prestat_get(s: Session, file: int, at: int) -> int:
    return BAD_FILE


@call(WASI, "proc_exit")
def proc_exit(s: Session, code: int) -> int:
    raise Ended(code)
