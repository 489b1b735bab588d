"""A Redis with a replica, and three Sentinels that make it the primary when the other dies."""

import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from twins.ports import free_ports
from twins.process import START_S, folder, needs

WORD = "secret"
USER = f"user app on >{WORD} ~* &* +@all -@admin -@dangerous +info"
SERVICE = "headwater"
SENTINEL = """
sentinel resolve-hostnames yes
sentinel monitor {service} 127.0.0.1 {primary} 2
sentinel auth-pass {service} {word}
sentinel down-after-milliseconds {service} 4000
sentinel failover-timeout {service} 10000
"""


class Watched:
    """Its servers by their ports, the first of which is the primary at first."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._cli = needs("redis-cli")
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        one, two, *self._sentinels = free_ports(5)
        self.servers = (one, two)
        hosts = ",".join(f"127.0.0.1:{port}" for port in self._sentinels)
        self.url = f"redis+sentinel://app:{WORD}@{hosts}/{SERVICE}"

    def start(self) -> None:
        for port in self.servers:
            self.serve(port)
        self.until(self.servers[1], "info replication", "master_link_status:up")
        for port in self._sentinels:
            conf = self._home / f"{port}.conf"
            told = SENTINEL.format(service=SERVICE, primary=self.servers[0], word=WORD)
            conf.write_text(f"port {port}\nbind 127.0.0.1\ndir {self._home}\n{told}")
            self._run(port, str(conf), "--sentinel")
        for port in self._sentinels:
            self.until(
                port,
                f"sentinel master {SERVICE}",
                r"num-slaves\s+1\s.*num-other-sentinels\s+2\s",
            )

    def serve(self, port: int) -> None:
        """One that begins as a replica of the other, save the first."""
        acl = self._home / "users.acl"
        acl.write_text(f"user default on >{WORD} ~* &* +@all\n{USER}\n")
        flags = [f"--masterauth {WORD}", f"--aclfile {acl}", "--save ''", "--appendonly no"]
        if self._processes or port != self.servers[0]:
            other = self.servers[0] if port == self.servers[1] else self.servers[1]
            flags.append(f"--replicaof 127.0.0.1 {other}")
        shape = ["--bind", "127.0.0.1", "--port", str(port), "--dir", str(self._home)]
        words = [word.strip("'") for flag in flags for word in flag.split(" ")]
        self._run(port, *shape, "--dbfilename", f"{port}.rdb", *words)
        self.until(port, "ping", "PONG")

    def tell(self, port: int, number: signal.Signals) -> None:
        self._processes[port].send_signal(number)
        if number is signal.SIGKILL:
            self._processes[port].wait()

    def stop(self) -> None:
        for process in self._processes.values():
            process.send_signal(signal.SIGCONT)
            process.kill()
            process.wait()

    def until(self, port: int, words: str, pattern: str) -> None:
        sign_in = ["--no-auth-warning", "-a", WORD] if port in self.servers else []
        command = [self._cli, *sign_in, "-p", str(port), *words.split()]
        deadline, said = time.monotonic() + START_S, ""
        while not re.search(pattern, said, re.DOTALL):
            assert time.monotonic() < deadline, f"{words} of {port}: {said[-400:]}"
            time.sleep(0.05)
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            said = done.stdout

    def _run(self, port: int, *flags: str) -> None:
        self._processes[port] = subprocess.Popen(
            [needs("redis-server"), *flags], stdout=subprocess.DEVNULL, start_new_session=True
        )


@contextmanager
def watched() -> Iterator[Watched]:
    with ExitStack() as stack:
        made = Watched(stack.enter_context(folder()))
        stack.callback(made.stop)
        made.start()
        yield made
