"""A Compute service: one wasm module, an instance of it for each exchange."""

import ctypes
import threading
import time
from functools import partial
from typing import Any, Final

import wasmtime

from headwater.edge.compute import http_calls, store_calls, wasi_calls
from headwater.edge.compute.abi import CALLS, UNSUPPORTED, Memory, status
from headwater.edge.compute.exchange import Answer, Exchange
from headwater.edge.compute.session import Ended, Session
from headwater.edge.errors import BuildError

HEAP_BYTES: Final = 128 << 20  # edge.md section 1
CALLS_OF: Final = (http_calls, store_calls, wasi_calls)  # importing them fills the table


class Service:
    """Any number of threads may run exchanges at a time."""

    def __init__(self, engine: wasmtime.Engine, module: wasmtime.Module) -> None:
        self._engine = engine
        self._here = threading.local()
        linker = wasmtime.Linker(engine)
        for wanted in module.imports:
            kind = wanted.type
            if not isinstance(kind, wasmtime.FuncType) or wanted.name is None:
                raise BuildError(f"the service wants {wanted.module} {wanted.name}")
            linker.define_func(
                wanted.module, wanted.name, kind, self._bound(wanted.module, wanted.name)
            )
        self._ready = linker.instantiate_pre(module)

    def _bound(self, module: str, name: str) -> Any:
        does = CALLS.get((module, name))
        if does is None:
            lacking = wasi_calls.NO_SYSTEM_CALL if module == wasi_calls.WASI else UNSUPPORTED
            return lambda *args: lacking
        return partial(self._call, does, name == "proc_exit")

    def _call(self, does: Any, is_exit: bool, *args: int) -> int | None:
        session, store, memory = self._here.session, self._here.store, self._here.memory
        base = ctypes.cast(memory.data_ptr(store), ctypes.c_void_p).value
        session.memory = Memory(base or 0, memory.data_len(store))
        told = status(session, does, args)
        return None if is_exit else told

    def run(self, exchange: Exchange) -> Answer:
        """Answer one exchange in a new instance, as the platform does. Raises BuildError where it
        ends without an answer.
        """
        store = wasmtime.Store(self._engine)
        store.set_limits(memory_size=HEAP_BYTES)
        session = Session(exchange)
        began = time.thread_time()
        exports = self._ready.instantiate(store).exports(store)
        start, memory = exports["_start"], exports["memory"]
        if not isinstance(start, wasmtime.Func):
            raise BuildError("the service has no _start")
        self._here.session, self._here.store, self._here.memory = session, store, memory
        try:
            start(store)
        except Ended:
            pass
        except wasmtime.WasmtimeError as error:
            raise BuildError(f"the service broke: {error}") from error
        finally:
            exchange.cpu_us = (time.thread_time() - began) * 1e6
            store.close()
        session.finish()
        if exchange.answer is None:
            raise BuildError(f"the service gave no answer: {exchange.logged[-3:]}")
        return exchange.answer
