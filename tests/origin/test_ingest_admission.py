"""Who may push: Basic and Bearer with two secrets, TLS and mutual TLS (I1, I5)."""

import contextlib
import json
import ssl
import time
from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from http.client import HTTPSConnection
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from bench.ingester import Synth
from origin.errors import Forbidden
from origin.ingest.admission import admit
from origin.settings import Settings

HEADER = Synth("video", 64_000).header
OLD, NEW = "tbqFh-old", "9Rk2W-neu"
SETTINGS = Settings.model_validate(
    {"channels": {"sport": {"ingest_secrets": [OLD, NEW]}, "news": {}}, "ingest_secrets": ["house"]}
)


def basic(user: str, secret: str) -> str:
    return "Basic " + b64encode(f"{user}:{secret}".encode()).decode()


@pytest.mark.parametrize(
    ("channel", "authorization", "welcome"),
    [
        ("sport", f"Bearer {OLD}", True),
        ("sport", f"bearer  {NEW} ", True),
        ("sport", basic("enc", NEW), True),
        ("sport", basic("", OLD), True),
        ("sport", "Bearer house", False),
        ("sport", "", False),
        ("sport", NEW, False),
        ("sport", f"Digest {NEW}", False),
        ("sport", "Basic ****", False),
        ("sport", "Basic " + b64encode(NEW.encode()).decode(), False),
        ("sport", f"Bearer {OLD}{NEW}", False),
        ("sport", "Bearer \u00e9", False),
        ("news", "Bearer house", True),
        ("learned", "Bearer house", True),
        ("learned", f"Bearer {OLD}", False),
    ],
)
def test_secrets_by_channel(channel: str, authorization: str, welcome: bool) -> None:
    try:
        admit(SETTINGS, channel, authorization)
        admitted = True
    except Forbidden as error:
        assert error.status == 403 and OLD not in error.detail
        admitted = False
    assert admitted is welcome


def test_without_secrets_the_port_is_open() -> None:
    admit(Settings(), "any", "")


def test_three_secrets_are_no_rotation() -> None:
    with pytest.raises(ValueError, match="2 items"):
        Settings.model_validate({"ingest_secrets": ["a", "b", "c"]})


def test_403_leaves_no_state(start: Callable[..., Any]) -> None:
    origin = start(ingest_secrets=[OLD])
    path = "/ingest/demo/Streams(v.cmfv)"
    for method in ("PUT", "POST", "DELETE"):
        answer = origin.push(path, HEADER, method)
        assert (answer.status, answer.json["error"]) == (403, "forbidden")
    assert origin.push("/ingest/demo", method="GET").status == 403
    assert not list(origin.data.glob("origin/live/*"))
    assert origin.push(path, HEADER, Authorization=f"Bearer {OLD}").status == 200


def test_recordings_want_a_secret_of_their_channel(start: Callable[..., Any]) -> None:
    """I5 for `/recordings`: what may push a channel may record it, nothing else may."""
    origin = start(channels={"sport": {"ingest_secrets": [OLD]}, "news": {}})
    header = {"Authorization": f"Bearer {OLD}"}
    for channel in ("sport", "news"):
        assert origin.push(f"/ingest/{channel}/Streams(v.cmfv)", HEADER, **header).status == 200
    asked = {name: recording(name) for name in ("sport", "news")}
    refused = origin.push("/recordings", asked["sport"], "POST")
    assert (refused.status, refused.json["error"]) == (403, "forbidden")
    assert origin.push("/recordings", asked["news"], "POST").status == 201
    assert origin.push("/recordings", asked["sport"], "POST", **header).status == 201
    no_text = origin.push("/recordings", asked["news"].replace(b'"news"', b'"\xff"'), "POST")
    assert (no_text.status, no_text.json["error"]) == (400, "bad_request")

    def listed(**headers: str) -> list[str]:
        found = origin.push("/recordings", method="GET", **headers).json["recordings"]
        return [each["channel"] for each in found]

    assert listed() == ["news"] and listed(**header) == ["news", "sport"]
    for method in ("GET", "DELETE"):
        assert origin.push("/recordings/r-sport", method=method).status == 403
    assert origin.push("/recordings/r-sport", method="DELETE", **header).status == 204
    assert origin.push("/recordings/r-news", method="DELETE").status == 204


def recording(channel: str) -> bytes:
    """What asks for the next ten minutes."""
    begin_s = int(time.time()) + 60
    asked = {"id": f"r-{channel}", "channel": channel, "start": begin_s, "end": begin_s + 600}
    return json.dumps(asked).encode()


def certificate(
    folder: Path, name: str, issuer: tuple[x509.Certificate, ec.EllipticCurvePrivateKey] | None
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    """A certificate for loopback, signed by the issuer or by itself, in `name`.pem and .key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer[0].subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), False)
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), True)
        .sign(issuer[1] if issuer else key, hashes.SHA256())
    )
    (folder / f"{name}.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / f"{name}.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return made, key


@pytest.mark.parametrize("mutual", [False, True])
def test_tls(start: Callable[..., Any], tmp_path: Path, mutual: bool) -> None:
    authority = certificate(tmp_path, "ca", None)
    certificate(tmp_path, "server", authority)
    certificate(tmp_path, "encoder", authority)
    told = {"certificate": str(tmp_path / "server.pem"), "key": str(tmp_path / "server.key")}
    if mutual:
        told["client_ca"] = str(tmp_path / "ca.pem")
    origin = start(ingest_tls=told)

    def push(context: ssl.SSLContext) -> int:
        connection = HTTPSConnection("localhost", origin.ingest_port, context=context, timeout=60)
        with contextlib.closing(connection):
            connection.request("PUT", "/ingest/demo/Streams(v.cmfv)", HEADER)
            with connection.getresponse() as response:
                return response.status

    client = ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))
    if mutual:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            push(client)
        client.load_cert_chain(str(tmp_path / "encoder.pem"), str(tmp_path / "encoder.key"))
    assert push(client) == 200
    old = ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))
    with pytest.warns(DeprecationWarning):
        old.minimum_version = ssl.TLSVersion.TLSv1
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, ConnectionError)):
        push(old)
