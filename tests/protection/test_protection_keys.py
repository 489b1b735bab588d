"""Keys: sealed at rest, masked everywhere, given out by the licence server alone."""

import base64
import copy
import hashlib
import json
import logging
import os
import pickle
import random
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from Crypto.Cipher import AES
from origin_rigs.protection_rig import VECTORS

from origin.protection import aes128, clearkey
from origin.protection.errors import ProtectionError
from origin.protection.keyfile import KeyFile, masters
from origin.protection.keys import ContentKey, distinct, role_of, sample_iv
from origin.protection.licence import routes
from origin.protection.secret import Secret
from origin.protection.vault import Masters, Vault
from origin.settings import Protection
from origin.tracks import Rendition

MASTER, OLDER = bytes(range(100, 132)), bytes(range(32))


def content_key(**changed: Any) -> ContentKey:
    fields: dict[str, Any] = {
        "kid": os.urandom(16), "secret": Secret(os.urandom(16)), "scheme": "cenc", "role": "sd",
        "content_id": "film",
    }  # fmt: skip
    return ContentKey(**(fields | changed))


# -- masking -----------------------------------------------------------------------------------


def shapes(key: bytes) -> list[bytes]:
    """How a key would look if it leaked (PR-140)."""
    plain = [key, key.hex().encode(), base64.b64encode(key), repr(key).encode()]
    return [*plain, key.hex().upper().encode(), base64.urlsafe_b64encode(key).rstrip(b"=")]


def test_a_secret_shows_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """PR-140"""
    value = os.urandom(16)
    secret = Secret(value)
    key = content_key(secret=secret)
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("canary").warning("%s %r %s", secret, key, [key])
    said = f"{secret} {secret!r} {key} {vars(type(secret))} {caplog.text}".encode()
    assert not any(shape in said for shape in shapes(value))
    for leak in (pickle.dumps, copy.deepcopy, json.dumps):
        with pytest.raises(TypeError):
            leak(secret)
    with pytest.raises(ValueError) as refused:
        Secret(value + b"x")
    assert not any(shape in str(refused.value).encode() for shape in shapes(value + b"x"))


def test_an_iv_is_never_the_key() -> None:
    """PR-19"""
    value = os.urandom(16)
    with pytest.raises(ProtectionError) as refused:
        content_key(scheme="cbcs", secret=Secret(value), constant_iv=value)
    assert refused.value.code == "iv_equals_key"
    assert not any(shape in str(refused.value).encode() for shape in shapes(value))


def test_one_key_does_not_serve_both_schemes() -> None:
    """PR-40"""
    secret = Secret(os.urandom(16))
    pair = [
        content_key(secret=secret),
        content_key(secret=secret, scheme="cbcs", constant_iv=os.urandom(16)),
    ]
    with pytest.raises(ProtectionError, match="cenc and cbcs"):
        distinct(pair)


@pytest.mark.parametrize("kid", [bytes(16), b"", bytes(15) + b"x" + b"y"])
def test_kids_have_16_bytes_and_are_not_zero(kid: bytes) -> None:
    """PR-4"""
    with pytest.raises(ProtectionError):
        content_key(kid=kid)


@pytest.mark.parametrize(
    ("width", "height", "role"),
    [(1024, 576, "sd"), (1024, 577, "hd"), (1920, 1080, "hd"), (2048, 1080, "uhd")],
)
def test_roles_go_by_pixels(width: int, height: int, role: str) -> None:
    """PR-40"""
    rendition = Rendition("v", "video", "avc1", 90000, width=width, height=height)
    assert role_of(rendition) == role
    assert role_of(rendition, shared=True) == "all"
    assert role_of(Rendition("t", "text", "wvtt", 1000), shared=True) == ""


def test_ivs_are_one_to_one_with_what_they_name() -> None:
    """PR-16: a million random draws of (track, input, sample)."""
    draw = random.Random(16)
    seen: dict[int, tuple[int, int, int]] = {}
    for _ in range(1_000_000):
        named = (draw.getrandbits(12), draw.getrandbits(4), draw.getrandbits(draw.choice((4, 48))))
        assert seen.setdefault(sample_iv(*named), named) == named
    for beyond in ((4096, 0, 0), (0, 16, 0), (0, 0, 1 << 48), (-1, 0, 0)):
        with pytest.raises(ProtectionError) as refused:
            sample_iv(*beyond)
        assert refused.value.code == "overflow"


# -- the key file ------------------------------------------------------------------------------


def test_a_vault_opens_what_it_sealed_and_shows_nothing() -> None:
    """PR-90"""
    vault = Vault(b"", Masters.of([MASTER]))
    keys = vault.ensure("film", "cbcs", ["audio", "sd"], os.urandom)
    keys += vault.ensure("film", "cenc", ["audio"], os.urandom)
    data = vault.dump()
    again = Vault(data, Masters.of([MASTER]))
    assert [again.by_kid(key.kid) for key in keys] == keys
    assert again.find("film", "cenc", "audio") == keys[2]
    assert again.ensure("film", "cbcs", ["audio"], os.urandom) == keys[:1]
    assert again.by_kid(bytes(16)) is None
    for key in keys:
        assert not any(shape in data for shape in shapes(key.secret.reveal()))
    assert MASTER.hex() not in repr(Masters.of([MASTER]))


@pytest.mark.parametrize("what", ["master", "swapped", "role", "content", "sealed", "cut"])
def test_a_vault_refuses_what_was_changed(what: str) -> None:
    """PR-90: wrong master key, swapped entries, truncated file."""
    vault = Vault(b"", Masters.of([MASTER]))
    keys = vault.ensure("film", "cenc", ["audio", "sd"], os.urandom)
    sheet = json.loads(vault.dump())
    one, two = sheet["entries"]
    master = OLDER if what == "master" else MASTER
    if what == "swapped":
        one["sealed"], two["sealed"] = two["sealed"], one["sealed"]
        one["nonce"], two["nonce"] = two["nonce"], one["nonce"]
    elif what == "role":
        one["role"] = "hd"
    elif what == "content":
        one["content_id"] = "other"
    elif what == "sealed":
        one["sealed"] = base64.b64encode(b"short").decode()
    data = json.dumps(sheet).encode()
    with pytest.raises(ProtectionError) as refused:
        Vault(data[:-9] if what == "cut" else data, Masters.of([master])).by_kid(keys[0].kid)
    assert refused.value.code == "sealed"


def test_a_file_is_sealed_anew_without_a_pause(tmp_path: Path) -> None:
    """PR-90: readers with both masters read before, during and after."""
    path = tmp_path / "keys.json"
    with KeyFile(path, Masters.of([OLDER])).change() as vault:
        keys = vault.ensure("film", "cenc", ["audio", "sd"], os.urandom)
    both = KeyFile(path, Masters.of([MASTER, OLDER]))
    assert both.by_kid(keys[0].kid) == keys[0]
    with both.change() as vault:
        assert vault.reseal(os.urandom) == 2
        assert vault.reseal(os.urandom) == 0
    assert both.by_kid(keys[1].kid) == keys[1]
    assert KeyFile(path, Masters.of([MASTER])).by_kid(keys[0].kid) == keys[0]
    with pytest.raises(ProtectionError):
        KeyFile(path, Masters.of([OLDER])).by_kid(keys[0].kid)


def test_the_master_key_comes_from_the_environment_or_a_file(tmp_path: Path) -> None:
    """PR-90"""
    given = Protection.model_validate({"master_key": f"{MASTER.hex()} {OLDER.hex()}"})
    assert masters(given, tmp_path) == Masters.of([MASTER, OLDER])
    assert MASTER.hex() not in repr(given) + given.model_dump_json()
    for bad in ("xyz", MASTER.hex()[:-2]):
        with pytest.raises(ProtectionError) as refused:
            masters(Protection.model_validate({"master_key": bad}), tmp_path)
        assert refused.value.code == "sealed" and bad not in str(refused.value)
    with pytest.raises(ProtectionError):
        masters(Protection.model_validate({}), tmp_path)


# -- licences ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        b"", b"[]", b"{}", b'{"kids": []}', b'{"kids": "x"}', b'{"kids": ["AAAA"]}',
        b'{"kids": [1]}', b"[" * 10_000, b'{"kids": ["' + b"A" * 17_000 + b'"]}',
        b'{"kids": ["AAAAAAAAAAAAAAAAAAAAAQ"], "type": "persistent-license"}',
        json.dumps({"kids": ["AAAAAAAAAAAAAAAAAAAAAQ"] * 65}).encode(),
        b'{"kids": ["AAAAAAAAAAAAAAAAAAAA!Q"]}',
    ],
)  # fmt: skip
def test_bad_licence_requests_are_refused(body: bytes) -> None:
    """PR-120"""
    with pytest.raises(clearkey.BadRequest) as refused:
        clearkey.asked(body)
    assert refused.value.status == 400


def test_padding_and_the_other_alphabet_are_read() -> None:
    """PR-120"""
    kid = b"\xfb\xff" * 8
    for text in (base64.b64encode(kid), base64.urlsafe_b64encode(kid).rstrip(b"=")):
        assert clearkey.asked(json.dumps({"kids": [text.decode()]}).encode()) == [kid]


@pytest.fixture
async def server(aiohttp_client: Any) -> Any:
    keys = [content_key(role=role) for role in ("audio", "sd", "uhd")]
    by_kid = {key.kid: key for key in keys}

    async def allow(request: web.Request, key: ContentKey) -> Any:
        if request.headers.get("Authorization") != "Bearer x":
            return "no_session"
        return "not_authorized" if key.role == "uhd" else "ok"

    app = web.Application()
    app.add_routes(routes(by_kid.get, allow))
    return await aiohttp_client(app), keys


def ask(*kids: bytes) -> bytes:
    names = [base64.urlsafe_b64encode(kid).rstrip(b"=").decode() for kid in kids]
    return json.dumps({"kids": names}).encode()


async def test_a_licence_has_the_keys_that_were_asked_for_and_allowed(
    server: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """PR-120, PR-121, PR-133, PR-140"""
    client, (audio, sd, uhd) = server
    url, session = "/v1/licence/clearkey", {"Authorization": "Bearer x"}
    with caplog.at_level(logging.DEBUG):
        kids = [audio.kid, sd.kid, uhd.kid, bytes(15) + b"x"]
        answer = await client.post(url, data=ask(*kids), headers=session)
        said = await answer.json()
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert answer.content_type == "application/json"
        statuses = []
        for kid, headers in ((uhd.kid, session), (sd.kid, {}), (bytes(16), session)):
            refused = await client.post(url, data=ask(kid), headers=headers)
            assert refused.content_type == "application/problem+json"
            statuses.append(refused.status)
        statuses.append((await client.post(url, data=b"{", headers=session)).status)
        statuses.append((await client.post(url, data=bytes(17_000), headers=session)).status)
        statuses.append((await client.get(url)).status)
        statuses.append((await client.options(url)).status)
        bare = await client.get(f"/v1/licence/key/{sd.kid.hex()}", headers=session)
        assert await bare.read() == sd.secret.reveal()
        assert bare.content_type == "application/octet-stream"
        for path in (uhd.kid.hex(), "zz", "00" * 15):
            statuses.append((await client.get(f"/v1/licence/key/{path}", headers=session)).status)
    assert statuses == [403, 401, 404, 400, 413, 405, 204, 403, 404, 404]
    assert said["type"] == "temporary"
    given = {entry["kid"]: entry["k"] for entry in said["keys"]}
    assert given == {
        json.loads(ask(key.kid))["kids"][0]: json.loads(ask(key.secret.reveal()))["kids"][0]
        for key in (audio, sd)
    }
    for key in (audio, sd, uhd):
        assert not any(shape in caplog.text.encode() for shape in shapes(key.secret.reveal()))


# -- AES-128 -----------------------------------------------------------------------------------


def test_aes128_segments_are_the_known_answers() -> None:
    """PR-145: what opens to the known clear bytes, closes to the known file again."""
    folder = VECTORS / "hls_aes128"
    facts = json.loads((folder / "facts.json").read_text())
    for segment in facts["segments"]:
        closed = (folder / segment["file"]).read_bytes()
        key, iv = bytes.fromhex(facts["key"]), bytes.fromhex(facts["iv"])
        opened = AES.new(key, AES.MODE_CBC, iv).decrypt(closed)[: segment["clear_bytes"]]
        assert hashlib.sha256(opened).hexdigest() == segment["clear_sha256"]
        assert aes128.encrypt(Secret(key), iv, opened) == closed


def test_aes128_ivs_name_track_and_time() -> None:
    """PR-145"""
    assert aes128.segment_iv(1, 2) == bytes(7) + b"\1" + bytes(7) + b"\2"
    assert aes128.segment_iv(0, (1 << 64) - 1) == bytes(8) + b"\xff" * 8
    with pytest.raises(ProtectionError):
        aes128.segment_iv(0, 1 << 64)
