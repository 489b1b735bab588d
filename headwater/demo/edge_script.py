"""The script of a CDN in a process of its own: the very bundle that is uploaded, run in Node behind
the stand-in of its platform (edge_scripts/local/serve.js has the messages).
"""

import asyncio
import itertools
import json
import shutil
import tempfile
from asyncio.subprocess import PIPE, Process
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from headwater.edge import build
from headwater.edge.deploy import edge_keys
from headwater.edge.stand_ins import furnish, node
from runtime import logs

SOURCES: Final = Path(__file__).parents[2] / "edge_scripts"
PLATFORMS: Final = ("cloudfront", "akamai")
TIMEOUT_S: Final = 5.0
MAX_LINE_BYTES: Final = 1 << 20
_OWN_CORS: Final = "access-control-"  # the listener writes these itself

log = logs.get("edge")


class ScriptError(Exception):
    """The script gave no answer."""


@dataclass(frozen=True, slots=True)
class Told:
    """What the script did with a request. `status` is None where it goes on: `path` and `query` are
    then the cache's key and what the origin is asked for.
    """

    request: Mapping[str, Any]
    kept: Mapping[str, Any] | None
    status: int | None
    headers: Mapping[str, str]
    body: bytes
    path: str
    query: str


class Script:
    """A part: one platform's script, told `settings` (edge.json) and the token keys as JWK."""

    def __init__(
        self,
        platform: str,
        settings: Mapping[str, Any],
        keys: Iterable[Mapping[str, Any]],
    ) -> None:
        self.name = f"{platform} script"
        self.platform = platform
        self._settings = settings
        self._stores = {"keys": json.dumps(edge_keys(keys))}
        self._room = Path(tempfile.gettempdir())
        self._process: Process | None = None
        self._reading: asyncio.Task[None] | None = None
        self._waiting: dict[int, asyncio.Future[Mapping[str, Any]]] = {}
        self._numbers = itertools.count()

    async def start(self) -> None:
        self._room = Path(tempfile.mkdtemp(prefix="headwater-edge-"))
        bundles = build(self.platform, lambda path: (SOURCES / path).read_text(), self._settings)
        furnish(self.platform, bundles, SOURCES, self._room)
        self._process = await asyncio.create_subprocess_exec(
            node(), "serve.js", cwd=self._room, stdin=PIPE, stdout=PIPE, limit=MAX_LINE_BYTES
        )
        self._reading = asyncio.create_task(self._read(self._process))
        self._send({"stores": self._stores})

    def ready(self) -> str | None:
        return None if self._reading is not None and not self._reading.done() else "no script"

    async def watch(self) -> None:
        assert self._reading is not None
        await asyncio.shield(self._reading)

    async def drain(self) -> None:
        """Requests under way are the listener's to finish."""

    async def stop(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()
        if self._room.name.startswith("headwater-edge-"):
            shutil.rmtree(self._room, ignore_errors=True)

    async def request(self, asked: Mapping[str, Any]) -> Told:
        """The first event: {method, scheme, host, path, query, headers, ip}. Raises ScriptError."""
        found = await self._ask({"request": asked})
        answer = found["answer"]
        return Told(
            asked,
            found["kept"],
            answer.get("status"),
            answer.get("headers", {}),
            answer.get("body", "").encode(),
            answer.get("path", ""),
            answer.get("query", ""),
        )

    async def response(self, told: Told, headers: Mapping[str, str]) -> list[tuple[str, str]]:
        """The second event: fields of the answer to this viewer, of which `headers` are known."""
        message = {"request": told.request, "kept": told.kept, "response": headers}
        found = await self._ask(message)
        return fields(found["headers"])

    async def _ask(self, message: Mapping[str, Any]) -> Mapping[str, Any]:
        number = next(self._numbers)
        future = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        try:
            self._send({"id": number, **message})
            found: Mapping[str, Any] = await asyncio.wait_for(future, TIMEOUT_S)
        except (TimeoutError, ConnectionError) as error:
            raise ScriptError("no answer") from error
        finally:
            del self._waiting[number]
        if "error" in found:
            raise ScriptError(found["error"])
        return found

    def _send(self, message: Mapping[str, Any]) -> None:
        if self._process is None or self._process.stdin is None:
            raise ScriptError("not running")
        self._process.stdin.write(json.dumps(message).encode() + b"\n")

    async def _read(self, process: Process) -> None:
        assert process.stdout is not None
        while line := await process.stdout.readline():
            message = json.loads(line)
            if "log" in message:
                log.debug("edge_script", line=message["log"])
                continue
            future = self._waiting.get(message["id"])
            if future is not None and not future.done():
                future.set_result(message)
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(ScriptError("it ended"))


def fields(headers: Mapping[str, str]) -> list[tuple[str, str]]:
    """A script's fields without those that the listener writes."""
    return [pair for pair in headers.items() if not pair[0].lower().startswith(_OWN_CORS)]
