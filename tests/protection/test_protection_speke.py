"""The SPEKE v2 client, a server of the real wire format, the known answers (PR-100..104)."""

import asyncio
import datetime
import json
import logging
import re
import ssl
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from lxml import etree
from origin_rigs.protection_rig import VECTORS
from origin_rigs.speke_rig import speke_server

from origin.protection import speke
from origin.protection.contract import Contract
from origin.protection.cpix_keys import Recipient
from origin.protection.errors import ProtectionError
from origin.protection.keyfile import KeyFile
from origin.protection.speke_source import TRIES, SpekeSource
from origin.protection.vault import Masters
from origin.settings import Speke

SPEKE = VECTORS / "speke"
MASTERS = Masters.of([bytes(range(32))])
ROLES = ("audio", "sd", "hd", "uhd")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with speke_server(tmp_path_factory.mktemp("speke")) as address:
        yield address


def asked(server: str, mode: str) -> int:
    with urllib.request.urlopen(f"{server}/asked") as response:
        return int(json.load(response).get(mode, 0))


def source(server: str, mode: str, folder: Path, **more: Any) -> SpekeSource:
    settings = Speke.model_validate({"url": f"{server}/{mode}", **more})
    file = KeyFile(folder / "keys.json", MASTERS)
    return SpekeSource(settings, file, ["clearkey", "widevine", "fairplay"], pause=no_pause)


async def no_pause(_: float) -> None:
    pass


# -- the wire --------------------------------------------------------------------------------------


def shape(data: bytes) -> list[tuple[str, list[tuple[str, str]]]]:
    """Elements and attributes in order, KIDs and ids by when they were first seen."""
    seen: dict[str, str] = {}
    found = []
    for element in etree.fromstring(data).iter():
        attributes = []
        for name, value in sorted(element.attrib.items()):
            if name == "id" and etree.QName(element).localname == "DeliveryData":
                continue
            if name == "kid":
                value = seen.setdefault(value.lower(), f"kid {len(seen)}")
            attributes.append((str(name), str(value)))
        found.append((etree.QName(element).text, attributes))
    return found


def request_of(name: str) -> speke.Request:
    certificate = "".join(
        (SPEKE / f"{name}.request.xml").read_text().partition("X509Certificate>")[2].split("<")[0]
    )
    match name:
        case "shared_cenc":
            return speke.Request("movie-2", "cenc", 0, Contract("SHARED", "SHARED"), ("widevine",))
        case "encrypted_cbcs":
            systems = ("widevine", "fairplay")
            return speke.Request("movie-3", "cbcs", 0, Contract("V1"), systems, certificate)
    systems = ("widevine", "fairplay")
    return speke.Request("movie-1", "cbcs", 0, Contract("V3", "A2"), systems)


@pytest.mark.parametrize("name", ["vod_video3_audio2_cbcs", "encrypted_cbcs"])
def test_requests_are_the_known_ones(name: str) -> None:
    """PR-100, PR-103: element by element and attribute by attribute, KIDs aside."""
    known = shape((SPEKE / f"{name}.request.xml").read_bytes())
    assert shape(request_of(name).body()) == known
    facts = json.loads((SPEKE / f"{name}.json").read_text())
    assert facts["request_headers"] == request_of(name).headers


@pytest.mark.parametrize("name", ["vod_video3_audio2_cbcs", "encrypted_cbcs", "shared_cenc"])
def test_answers_of_the_reference_server(name: str) -> None:
    """PR-19, PR-101, PR-103: an IV that is the key is refused; without it keys are as known."""
    facts = json.loads((SPEKE / f"{name}.json").read_text())
    data = (SPEKE / f"{name}.response.xml").read_bytes()
    headers = {n.lower(): v for n, v in facts["response_headers"].items()}
    recipient = Recipient.parse((VECTORS / "cpix/recipient.pem").read_bytes())
    request = request_of(name)
    if facts.get("expect_error"):
        with pytest.raises(ProtectionError) as refused:
            speke.read(request, data, headers, recipient)
        assert refused.value.code == facts["expect_error"]
    data = re.sub(rb' explicitIV="[^"]*"', b"", data)
    plain = speke.Request(
        request.content_id, request.scheme, 0, request.contract, (), request.certificate
    )
    found = speke.read(plain, data, headers, recipient)
    assert {
        track_type: [grant.key.uuid, grant.key.secret.reveal().hex()]
        for track_type, grant in found.items()
    } == facts["keys"]


# -- a server --------------------------------------------------------------------------------------


async def test_keys_come_once_and_stay(server: str, tmp_path: Path) -> None:
    """PR-42, PR-101: one request for all keys of a period; the file remembers, with the signals."""
    before = asked(server, "good")
    client = source(server, "good", tmp_path)
    first = await client.keys("film", "cbcs", 0, ROLES)
    assert asked(server, "good") == before + 1
    again = await source(server, "good", tmp_path).keys("film", "cbcs", 0, ROLES)
    assert asked(server, "good") == before + 1
    assert again == first
    assert len({grant.key.kid for grant in first.values()}) == 4
    [widevine, fairplay] = first["hd"].systems
    assert (widevine.name, fairplay.name) == ("widevine", "fairplay")
    assert widevine.pssh[4:8] == b"pssh" and widevine.descriptor.startswith("<cenc:pssh")
    assert fairplay.media_lines[0].startswith("#EXT-X-KEY:METHOD=SAMPLE-AES")
    assert fairplay.main_lines[0].startswith("#EXT-X-SESSION-KEY:")
    sealed = (tmp_path / "keys.json").read_bytes()
    for grant in first.values():
        assert grant.key.source == "speke"
        assert grant.key.secret.reveal().hex().encode() not in sealed


async def test_periods_have_keys_of_their_own(server: str, tmp_path: Path) -> None:
    """PR-100: ContentKeyPeriod@index and KeyPeriodFilter."""
    client = source(server, "good", tmp_path)
    one, two = [
        await client.keys("demo", "cbcs", period, ("sd", "audio"))
        for period in (1_800_000_000, 1_800_000_600)
    ]
    assert one["sd"].key.kid != two["sd"].key.kid
    assert two["sd"].key.period == 1_800_000_600
    body = speke.Request("demo", "cbcs", 7, Contract(), ()).body()
    text = body.decode()
    assert '<cpix:ContentKeyPeriod id="keyPeriod_7" index="7"/>' in text
    assert text.count('<cpix:KeyPeriodFilter periodId="keyPeriod_7"/>') == 4


async def test_roles_of_a_smaller_contract_share_keys(server: str, tmp_path: Path) -> None:
    """PR-104"""
    client = source(server, "good", tmp_path, video="V2", audio="A2")
    found = await client.keys("film", "cenc", 0, ROLES)
    assert found["hd"].key.kid == found["uhd"].key.kid != found["sd"].key.kid
    shared = await client.keys("film", "cbcs", 0, ("all",))
    assert shared["all"].key.role == "all"


async def test_the_server_s_kids_count(server: str, tmp_path: Path) -> None:
    """PR-101"""
    asked_for = speke.Request("film", "cbcs", 0, Contract(), ())
    found = await source(server, "replaces", tmp_path).keys("film", "cbcs", 0, ROLES)
    ours = {str(asked_for.kid(rule)) for rule in asked_for.rules}
    assert not ours & {grant.key.uuid for grant in found.values()}
    again = await source(server, "replaces", tmp_path).keys("film", "cbcs", 0, ROLES)
    assert again == found


@pytest.mark.parametrize("place", [0, 1, 2])
async def test_keys_come_encrypted(server: str, tmp_path: Path, place: int) -> None:
    """PR-94, PR-103: the MAC key in each of its three places."""
    pem = (SPEKE / "encrypted_cbcs.request.xml").read_text()
    text = pem.partition("X509Certificate>")[2].partition("<")[0]
    certificate = tmp_path / "recipient.crt"
    certificate.write_text(f"-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
    pair = {
        "recipient_certificate": str(certificate),
        "recipient_key": str(VECTORS / "cpix/recipient.pem"),
    }
    client = source(server, f"mac/{place}", tmp_path, **pair)
    found = await client.keys("film", "cbcs", 0, ROLES)
    (tmp_path / "p").mkdir()
    plain = await source(server, "good", tmp_path / "p").keys("film", "cbcs", 0, ROLES)
    assert {r: g.key for r, g in found.items()} == {r: g.key for r, g in plain.items()}


@pytest.mark.parametrize(
    ("mode", "right", "wrong"),
    [
        ("basic", {"user": "user", "password": "speke-password"}, {"user": "user"}),
        ("bearer", {"token": "speke-token"}, {"token": "other"}),
        (
            "sigv4",
            {"access_key": "AKIDEXAMPLE", "secret_key": "speke-secret-key", "region": "eu-west-1"},
            {"access_key": "AKIDEXAMPLE", "secret_key": "other", "region": "eu-west-1"},
        ),
    ],
)
async def test_ways_to_sign_in(
    server: str, tmp_path: Path, mode: str, right: Any, wrong: Any, caplog: Any
) -> None:
    """PR-100"""
    with caplog.at_level(logging.DEBUG):
        with pytest.raises(ProtectionError) as refused:
            await source(server, mode, tmp_path, **wrong).keys("film", "cbcs", 0, ROLES)
        assert refused.value.code == "key_server"
        assert await source(server, mode, tmp_path, **right).keys("film", "cbcs", 0, ROLES)
    for secret in (right.get("password"), right.get("token"), right.get("secret_key")):
        assert secret is None or secret not in caplog.text + str(refused.value)


@pytest.mark.parametrize(
    ("mode", "code", "tries"),
    [
        ("fails/9", "unreachable", TRIES),
        ("busy", "unreachable", TRIES),
        ("text", "unreachable", TRIES),
        ("broken", "unreachable", TRIES),
        ("lacks", "key_server", 1),
        ("renames", "key_server", 1),
    ],
)
async def test_answers_that_are_none(
    server: str, tmp_path: Path, mode: str, code: str, tries: int
) -> None:
    """PR-101, PR-102: 429 and 5xx are tried three times, a bad answer is not."""
    before = asked(server, mode)
    client = source(server, mode, tmp_path)
    with pytest.raises(ProtectionError) as refused:
        await client.keys("film", "cbcs", 0, ROLES)
    assert refused.value.code == code
    assert "secret detail" not in str(refused.value)
    assert asked(server, mode) == before + tries
    assert not (tmp_path / "keys.json").exists()


async def test_silence_is_tried_three_times(tmp_path: Path) -> None:
    """PR-102: counted by connections, for who is slow himself may never read what was given up."""
    heard: list[asyncio.StreamWriter] = []

    async def silent(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(writer)

    listener = await asyncio.start_server(silent, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    with pytest.raises(ProtectionError) as refused:
        await source(url, "", tmp_path, answer_s=0.3).keys("film", "cbcs", 0, ROLES)
    assert refused.value.code == "unreachable"
    async with asyncio.timeout(60):
        while len(heard) < TRIES:
            await asyncio.sleep(0.01)
    listener.close()
    for writer in heard:
        writer.close()
    assert len(heard) == TRIES
    assert not (tmp_path / "keys.json").exists()


async def test_a_server_that_recovers(server: str, tmp_path: Path, caplog: Any) -> None:
    """PR-102"""
    before = asked(server, "fails/2")
    assert await source(server, "fails/2", tmp_path).keys("film", "cbcs", 0, ROLES)
    assert asked(server, "fails/2") == before + 3
    assert await source(server, "quiet", tmp_path / "..").keys("other", "cbcs", 0, ("sd",))


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        ({b' contentId="film"': b""}, "Missing CPIX@contentId"),
        ({b' version="2.3"': b""}, "Missing CPIX@version"),
        ({b' version="2.3"': b' version="9"'}, "Unsupported CPIX@version"),
        ({b' commonEncryptionScheme="cbcs"': b""}, "Missing ContentKey@commonEncryptionScheme"),
        ({b'Scheme="cbcs"': b'Scheme="cccc"'}, "Non compliant ContentKey@commonEncryptionScheme"),
        ({}, "Unsupported SPEKE version"),
    ],
)
async def test_refusals_are_named_and_not_repeated(
    server: str, tmp_path: Path, spoil: Any, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PR-102: the six sentences of status 422."""
    whole = speke.Request.body

    def spoiled(self: speke.Request) -> bytes:
        body = whole(self)
        for old, new in spoil.items():
            body = body.replace(old, new)
        return body

    monkeypatch.setattr(speke.Request, "body", spoiled)
    if not spoil:
        headers = {"Content-Type": "application/xml", speke.VERSION_HEADER: "1.0"}
        monkeypatch.setattr(speke.Request, "headers", headers)
    before = asked(server, "good")
    with pytest.raises(ProtectionError) as refused:
        await source(server, "good", tmp_path).keys("film", "cbcs", 0, ROLES)
    assert refused.value.code == "key_server" and sentence in str(refused.value)
    assert asked(server, "good") == before + 1


async def test_a_client_certificate(tmp_path: Path) -> None:
    """PR-100: TLS both ways; another authority, or a client without one, gets nothing."""
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    day = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).serial_number(1)
    made = made.public_key(key.public_key()).not_valid_before(day)
    made = made.not_valid_after(day.replace(year=2046))
    made = made.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    names = x509.SubjectAlternativeName([x509.DNSName("localhost")])
    signed = made.add_extension(names, critical=False).sign(key, hashes.SHA256())
    pair = tmp_path / "pair.pem"
    pair.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + signed.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(pair))
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(pair)
    seen: list[Any] = []

    async def refuse(request: web.Request) -> web.Response:
        seen.append(request.transport.get_extra_info("peercert"))  # type: ignore[union-attr]
        return web.Response(status=403)

    app = web.Application()
    app.router.add_post("/", refuse)
    server = TestServer(app, host="localhost")
    await server.start_server(ssl=context)
    url = f"https://localhost:{server.port}"
    for more, code in (
        ({"ca_file": str(pair), "client_certificate": str(pair)}, "key_server"),
        ({"ca_file": str(pair)}, "unreachable"),
        ({"client_certificate": str(pair)}, "unreachable"),
    ):
        settings = Speke.model_validate({"url": f"{url}/", **more})
        client = SpekeSource(settings, KeyFile(tmp_path / "k", MASTERS), [], pause=no_pause)
        with pytest.raises(ProtectionError) as refused:
            await client.keys("film", "cbcs", 0, ROLES)
        assert refused.value.code == code
    assert len(seen) == 1 and seen[0]
    await server.close()
