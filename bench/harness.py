"""Measuring side by side: server on core 0, load on core 1, rounds in turn (CONTRACT)."""

import argparse
import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

T = TypeVar("T")

SERVER_CORE, LOAD_CORE = 0, 1
PINNED_LOAD = ("taskset", "-c", str(LOAD_CORE))
ROUNDS = 3
START_S = 60.0


def free_port() -> int:
    """A TCP port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def tool(name: str) -> str:
    """Path of a program the bench needs."""
    path = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if path is None:
        raise SystemExit(f"{name} is not installed: run make test once, or apt-get install {name}")
    return path


def start(
    command: Sequence[str], port: int, core: int | str = SERVER_CORE
) -> subprocess.Popen[bytes]:
    """Run a server pinned to a core, or to a list such as `0,1`; returns when it accepts
    connections.
    """
    process = subprocess.Popen(
        ["taskset", "-c", str(core), *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    await_port(process, port)
    return process


def await_port(process: subprocess.Popen[bytes], port: int) -> None:
    """Return when a server accepts connections; SystemExit when it ended or takes too long."""
    deadline = time.monotonic() + START_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                process.kill()
                raise SystemExit(f"did not start: {process.args!r}") from None
            time.sleep(0.02)


def cpu_s(process: subprocess.Popen[bytes]) -> float:
    """Processor time that a server and its children have used."""
    used, pids = 0, [process.pid]
    for pid in pids:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        except OSError:
            continue  # ended meanwhile
        used += int(fields[11]) + int(fields[12])  # utime, stime: proc(5)
        pids += map(int, children)
    return used / os.sysconf("SC_CLK_TCK")


def wakes(process: subprocess.Popen[bytes]) -> int:
    """How often a server's first thread has waited for something, and went on (proc(5))."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(status.partition("\nvoluntary_ctxt_switches:")[2].split(maxsplit=1)[0])


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a server that start() began."""
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class Round(NamedTuple):
    """What wrk says of one round."""

    per_s: float
    p99_ms: float


def wrk(
    url: str,
    *,
    connections: int,
    seconds: int,
    script: Path | None = None,
    cores: str = str(LOAD_CORE),
) -> Round:
    """One round; an answer that is not 2xx or 3xx fails the bench. `script`: Lua that words the
    requests.
    """
    worded = [] if script is None else ["-s", str(script)]
    shape = ["-t1", f"-c{connections}", f"-d{seconds}s", "--latency"]
    done = subprocess.run(
        ["taskset", "-c", cores, tool("wrk"), *shape, *worded, url],
        capture_output=True,
        text=True,
        check=True,
    )
    rate = re.search(r"Requests/sec:\s+([0-9.]+)", done.stdout)
    p99 = re.search(r" 99%\s+([0-9.]+)(us|ms|s)\b", done.stdout)
    if rate is None or p99 is None or not float(rate[1]) or "Non-2xx" in done.stdout:
        raise SystemExit(f"{url}: {done.stdout}")
    return Round(float(rate[1]), float(p99[1]) * {"us": 0.001, "ms": 1, "s": 1000}[p99[2]])


def in_turn(ours: Callable[[], T], peer: Callable[[], T], rounds: int) -> list[tuple[T, T]]:
    """Both, round by round, so that the machine's mood is shared."""
    return [(ours(), peer()) for _ in range(rounds)]


def alternate(
    ours: Callable[[], float], peer: Callable[[], float], rounds: int = ROUNDS
) -> tuple[float, float]:
    """Medians of both, measured in turn."""
    a, b = zip(*in_turn(ours, peer, rounds), strict=True)
    return statistics.median(a), statistics.median(b)


def median_us(call: Callable[[], object], round_s: float) -> float:
    """Microseconds of the median call of a round of at least this length: a mean tells of whoever
    else had the core.
    """
    spent: list[float] = []
    while sum(spent) < round_s:
        begun = time.perf_counter()
        call()
        spent.append(time.perf_counter() - begun)
    return statistics.median(spent) * 1e6


def main(doc: str | None, measure: Callable[[], Iterable[str]], core: int | None = None) -> None:
    """The command line of a bench without options of its own; `core` is where it runs itself. JSON
    is printed as rows come.
    """
    parser = argparse.ArgumentParser(description=(doc or "").splitlines()[0])
    parser.add_argument("--json", action="store_true", help="JSON lines instead of a table")
    args = parser.parse_args()
    if core is not None:
        os.sched_setaffinity(0, {core})
    if not args.json:
        print(table(list(measure())))
        return
    for row in measure():
        print(row, flush=True)


def line(
    bench: str, case: str, value: float, unit: str, peer: str | None, peer_value: float | None
) -> str:
    """One result as CONTRACT words it."""
    ratio = None if not peer_value else round(value / peer_value, 3)
    return json.dumps(
        {
            "bench": bench,
            "case": case,
            "value": round(value, 3),
            "unit": unit,
            "peer": peer,
            "peer_value": None if peer_value is None else round(peer_value, 3),
            "ratio": ratio,
        }
    )


def table(lines: Sequence[str]) -> str:
    """The same results for eyes."""
    rows = [json.loads(text) for text in lines]
    return "\n".join(
        f"{r['bench']:<10} {r['case']:<12} {r['value']:>12,.1f} {r['unit']:<6}"
        + (f" {r['peer']} {r['peer_value']:,.1f}  ratio {r['ratio']:.2f}" if r["peer"] else "")
        for r in rows
    )


def write(path: Path, text: str) -> Path:
    """A configuration file for a peer."""
    path.write_text(text)
    return path
