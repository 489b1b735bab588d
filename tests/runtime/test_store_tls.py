"""A server over TLS, signed in by ACL: the lane, the pool, the subscriptions (CMP-2)."""

import datetime
import ipaddress
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from twins.ports import free_port
from twins.process import answers, folder, needs, running

from runtime.store import RedisStore, StoreError

pytestmark = pytest.mark.twin
USER = "user app on >secret ~* &* +@all -@admin -@dangerous +info"


def certificate(home: Path) -> None:
    """`tls.crt`, its own authority, and `tls.key`."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now, names = (
        datetime.datetime.now(datetime.UTC),
        [x509.IPAddress(ipaddress.ip_address("127.0.0.1"))],
    )
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (home / "tls.crt").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    shape = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (home / "tls.key").write_bytes(key.private_bytes(serialization.Encoding.PEM, *shape))


@pytest.fixture
def url() -> Iterator[str]:
    with folder() as home:
        certificate(home)
        (home / "users.acl").write_text(f"user default off\n{USER}\n")
        port, crt = free_port(), str(home / "tls.crt")
        tls = ["--tls-port", str(port), "--tls-cert-file", crt, "--tls-ca-cert-file", crt]
        tls += ["--tls-key-file", str(home / "tls.key"), "--tls-auth-clients", "no"]
        disk = ["--save", "", "--appendonly", "no", "--dir", str(home)]
        acl = ["--aclfile", str(home / "users.acl")]
        command = [needs("redis-server"), "--bind", "127.0.0.1", "--port", "0", *tls, *disk, *acl]
        sign_in = ["--user", "app", "--pass", "secret", "--no-auth-warning"]
        ping = [needs("redis-cli"), "--tls", "--cacert", crt, *sign_in, "-p", str(port), "ping"]
        with running(command, lambda: answers(ping, b"PONG"), home / "log"):
            yield f"rediss://app:secret@127.0.0.1:{port}/0?ssl_ca_certs={crt}"


async def test_all_operations_with_no_more_rights_than_said(url: str) -> None:
    store = RedisStore(url, timeout_ms=10_000)
    await store.start()
    await store.put("k", bytes(200_000))
    assert await store.get("k") == bytes(200_000)
    assert (await store.admit("acc", "s", device="d", detail=b"", limit=1)).admitted
    assert [p.beat for p in await store.heartbeats([("acc", "s", 1)])] == ["live"]
    assert (await store.end("acc", "s", "stopped")) is not None
    assert await store.reap() == []
    assert (await store.gcra("g", limit=1, period_ms=1_000)).allowed
    await store.append("evt", b"1")
    (message,) = await store.read("evt", "g", "c", block_ms=10)
    assert await store.lag("evt", "g") == await store.pending("evt", "g") == 1
    assert len(await store.claim("evt", "g", "d", min_idle_ms=0)) == 1
    await store.ack("evt", "g", [message.id])
    await store.drop("evt", [message.id])
    async with store.subscribe("c") as told:
        await store.incr_and_publish("n", "c", b"word")
        async for word in told:
            assert word == b"word"
            break
    await store.stop()


@pytest.mark.parametrize("wrong", ["password", "authority"])
async def test_who_is_not_trusted_is_not_served(url: str, wrong: str) -> None:
    bad = {"password": url.replace("secret", "guess"), "authority": url.partition("?")[0]}[wrong]
    store = RedisStore(bad, timeout_ms=10_000)
    with pytest.raises(StoreError, match="unavailable") as caught:
        await store.start()
    assert "guess" not in str(caught.value) and "secret" not in str(caught.value)
    await store.stop()
