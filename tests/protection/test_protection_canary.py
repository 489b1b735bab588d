"""Key material never shows: logs, errors, tracebacks, metrics, URLs, settings (PR-140)."""

import base64
import datetime
import json
import logging
import os
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import signxml
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from lxml import etree
from origin_rigs.protection_rig import VECTORS
from typer.testing import CliRunner

import origin.settings
from headwater.cli import app as command
from headwater.licences import Keys, key_routes
from origin.protection import cpix
from origin.protection.contract import Contract
from origin.protection.cpix_keys import Recipient
from origin.protection.errors import ProtectionError
from origin.protection.keyfile import KeyFile
from origin.protection.keys import ContentKey
from origin.protection.speke import Request, read
from origin.protection.speke_source import SpekeSource
from origin.protection.vault import Masters
from origin.settings import Speke
from runtime import logs, metrics
from runtime.fetch import Fetched, Fetcher

KNOWN = {  # the canaries: every key of the known answers, and what opens them
    *(
        key
        for document in json.loads((VECTORS / "cpix/index.json").read_text())["documents"]
        for _, key in document.get("keys", [])
    ),
    *(
        key
        for path in (VECTORS / "speke").glob("*.json")
        for _, key in json.loads(path.read_text())["keys"].values()
    ),
}
RECIPIENT = Recipient.parse((VECTORS / "cpix/recipient.pem").read_bytes())


def shapes(key: bytes) -> Iterator[str]:
    """How 16 or 32 bytes would look in a text."""
    yield from (key.hex(), key.hex().upper(), repr(key), repr(key)[2:-1], str(list(key)))
    yield from (base64.b64encode(key).decode(), base64.urlsafe_b64encode(key).decode().rstrip("="))
    yield key.decode("latin-1")


def leaks(text: str, keys: list[bytes]) -> list[str]:
    return [shape for key in keys for shape in shapes(key) if shape in text]


class Heard:
    """Everything that left: logs at every level, errors with their tracebacks, metrics."""

    def __init__(self, caplog: pytest.LogCaptureFixture, capsys: Any) -> None:
        self._caplog, self._capsys = caplog, capsys
        self.errors: list[str] = []

    def failed(self, error: BaseException) -> None:
        """With local variables, as a debugger or an error collector shows them."""
        told = traceback.TracebackException.from_exception(error, capture_locals=True)
        ours = [f for f in told.stack if "/origin/" not in f.filename]
        self.errors.append(f"{error} {error!r} {''.join(traceback.format_exception(error))}{ours}")

    def text(self) -> str:
        out = self._capsys.readouterr()
        said = f"{out.out}{out.err}{self._caplog.text}{''.join(self.errors)}"
        return said + metrics.exposition().decode()


@pytest.fixture
def heard(caplog: pytest.LogCaptureFixture, capsys: Any) -> Heard:
    logs.setup("canary", "debug")
    caplog.set_level(logging.DEBUG)
    return Heard(caplog, capsys)


def test_a_leak_would_be_found() -> None:
    """The net has no holes that we know of."""
    key = os.urandom(16)
    for shape in shapes(key):
        assert leaks(f"<{shape}>", [key])


def test_documents_good_and_bad(heard: Heard) -> None:
    """CPIX and SPEKE answers, whole, cut and broken at every 997th byte."""
    request = Request("movie-1", "cbcs", 0, Contract("V3", "A2"), ("widevine",))
    paths = [*(VECTORS / "cpix").glob("*.xml"), *(VECTORS / "speke").glob("*.response.xml")]
    for path in paths:
        whole = path.read_bytes()
        for at in (len(whole), *range(0, len(whole), 997)):
            for data in (whole[:at], whole[:at] + b"\x00" + whole[at + 1 :]):
                for scheme in ("cenc", "cbcs"):
                    try:
                        shown = repr(cpix.read(data, scheme, RECIPIENT))  # type: ignore[arg-type]
                        heard.errors.append(shown)
                    except ProtectionError as error:
                        heard.failed(error)
        try:
            heard.errors.append(repr(read(request, whole, {}, RECIPIENT)))
        except ProtectionError as error:
            heard.failed(error)
    assert len(heard.errors) > 100
    assert leaks(heard.text(), [bytes.fromhex(key) for key in KNOWN]) == []


def test_a_signed_document_with_its_keys_in_the_clear(heard: Heard) -> None:
    """The library that checks signatures would quote it."""
    key = rsa.generate_private_key(65537, 2048)
    root = etree.fromstring((VECTORS / "cpix/clear_periods_cbcs.xml").read_bytes())
    signer = signxml.XMLSigner(signature_algorithm="rsa-sha512", digest_algorithm="sha512")
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "signer")])
    day = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).serial_number(1)
    made = made.public_key(key.public_key()).not_valid_before(day)
    certificate = made.not_valid_after(day.replace(year=2046)).sign(key, hashes.SHA256())
    pem = certificate.public_bytes(serialization.Encoding.PEM).decode()
    data = etree.tostring(signer.sign(root, key=key, cert=pem))
    assert leaks(data.decode(), [bytes.fromhex(key) for key in KNOWN])
    assert len(cpix.read(data, "cbcs", signers=[certificate], signature=True).keys) == 2
    assert leaks(heard.text(), [bytes.fromhex(key) for key in KNOWN]) == []


async def test_a_key_server_s_answers_and_errors(
    heard: Heard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SPEKE: credentials, bodies, and what is kept."""
    whole = (VECTORS / "speke/vod_video3_audio2_cbcs.response.xml").read_bytes()
    answers: list[Fetched] = []
    secrets = {
        "password": "canary-password",
        "token": "canary-token",
        "secret_key": "canary-secret",
        "session_token": "canary-session",
    }

    async def post(self: Fetcher, url: str, body: bytes, headers: Any = None, **_: Any) -> Fetched:
        return answers.pop(0)

    monkeypatch.setattr(Fetcher, "post", post)
    for name, who in (
        ("password", {"user": "u"}),
        ("token", {}),
        ("secret_key", {"access_key": "A"}),
        ("session_token", {"access_key": "A"}),
    ):
        settings = Speke.model_validate({"url": "http://127.0.0.1:1", name: secrets[name], **who})
        heard.errors.append(f"{settings!r} {settings.model_dump_json()}")
        for status, body in ((200, whole), (200, whole[:-9]), (400, whole), (500, whole)):
            answers[:] = [Fetched(status, {}, body)] * 3
            file = KeyFile(tmp_path / "keys.json", Masters.of([bytes(32)]))
            source = SpekeSource(settings, file, ["widevine"], pause=_no_pause)
            try:
                await source.keys("movie-1", "cbcs", 0, ("sd",))
            except ProtectionError as error:
                heard.failed(error)
    assert len(heard.errors) == 4 + 16
    text = heard.text()
    assert leaks(text, [bytes.fromhex(key) for key in KNOWN]) == []
    assert [secret for secret in secrets.values() if secret in text] == []


async def _no_pause(_: float) -> None:
    pass


async def test_licences_and_what_is_logged_of_them(
    heard: Heard, tmp_path: Path, aiohttp_client: Any
) -> None:
    """Given, refused, and broken half-way: a key is in an answer's body and nowhere else."""
    settings = origin.settings.Settings()
    with KeyFile.open(settings.protection, tmp_path, create=True).change() as vault:
        keys = vault.ensure("film", "cbcs", ["audio", "sd"], os.urandom)

    class Gate:
        word = "ok"

        async def judge(self, request: web.Request, serves: Any) -> str:
            if self.word == "fails":
                raise RuntimeError("on the way")
            return self.word

    gate = Gate()
    app = web.Application()
    app.add_routes(key_routes(Keys(settings, tmp_path))(gate))  # type: ignore[arg-type]
    client = await aiohttp_client(app)
    for word in ("ok", "no_session", "not_authorized", "fails"):
        gate.word = word
        for key in keys:
            kid = base64.urlsafe_b64encode(key.kid).rstrip(b"=").decode()
            licence = await client.post("/v1/licence/clearkey", json={"kids": [kid]})
            bare = await client.get(f"/v1/licence/key/{key.kid.hex()}")
            if word == "ok":
                assert await bare.read() == key.secret.reveal()
            for answer in (licence, bare):
                heard.errors.append(f"{answer.url} {answer.headers}")
                if word != "ok":
                    heard.errors.append(await answer.text())
    assert leaks(heard.text(), _values(keys)) == []


def test_settings_and_commands(
    heard: Heard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`headwater config`, `keys` and what they say when they cannot."""
    master = os.urandom(32)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HEADWATER_ORIGIN__PROTECTION__MASTER_KEY", master.hex())
    monkeypatch.setenv("HEADWATER_ORIGIN__PROTECTION__SPEKE__PASSWORD", "canary-password")
    vendor = {"widevine": {"url": "https://l.example", "headers": {"X-Key": "canary-vendor"}}}
    monkeypatch.setenv("HEADWATER_CONTROL__LICENCES__SERVERS", json.dumps(vendor))
    data = ("--data", str(tmp_path))
    with KeyFile(tmp_path / "origin" / "keys.json", Masters.of([master])).change() as vault:
        keys = vault.ensure("film", "cbcs", ["audio", "sd"], os.urandom)
    for words in (("config",), ("keys", "list"), ("keys", "rotate"), ("keys", "export", "film")):
        result = CliRunner().invoke(command, [*words, *data])
        heard.errors.append(result.output + result.stderr)
    out = str(tmp_path / "out.xml")
    for _ in range(2):
        result = CliRunner().invoke(command, ["keys", "export", "film", "--out", out, *data])
        heard.errors.append(result.output + result.stderr)
    monkeypatch.setenv("HEADWATER_ORIGIN__PROTECTION__MASTER_KEY", os.urandom(32).hex())
    result = CliRunner().invoke(command, ["keys", "export", "film", "--out", out, *data])
    heard.errors.append(result.output + result.stderr + repr(result.exception))
    text = heard.text()
    assert "film: cbcs audio" in text and "l.example" in text
    assert leaks(text, [master, *_values(keys)]) == []
    assert "canary-" not in text


def _values(keys: list[ContentKey]) -> list[bytes]:
    return [key.secret.reveal() for key in keys]
