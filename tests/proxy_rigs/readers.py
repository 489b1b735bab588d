"""Players' own parsers as witnesses: hls-parser, m3u8-parser and mpd-parser in one Node process."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from twins.process import missing

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = Path(__file__).with_name("readers.js")
NODE = ROOT / ".venv" / "bin" / "node"
MODULES = ("hls-parser", "m3u8-parser", "mpd-parser")

Model = dict[str, Any]


class Readers:
    """Asks the process; a reader that gives up answers `{"error": MESSAGE}`."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdin is not None and process.stdout is not None
        self._in, self._out = process.stdin, process.stdout

    def hls(self, data: bytes, url: str) -> dict[str, Model]:
        return self._ask("hls", data, url)

    def dash(self, data: bytes, url: str) -> Model:
        return self._ask("dash", data, url)["mpd-parser"]

    def _ask(self, kind: str, data: bytes, url: str) -> dict[str, Model]:
        question = {"kind": kind, "text": data.decode("utf-8", "replace"), "url": url}
        self._in.write(json.dumps(question) + "\n")
        self._in.flush()
        answer: dict[str, Model] = json.loads(self._out.readline())
        return answer


@contextmanager
def readers() -> Iterator[Readers]:
    for name in MODULES:
        if not (ROOT / "node_modules" / name).exists():
            missing(f"{name} is not installed")
    with subprocess.Popen(
        [NODE, SCRIPT],
        env={"NODE_PATH": str(ROOT / "node_modules")},
        text=True,
        encoding="utf-8",
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        yield Readers(process)
