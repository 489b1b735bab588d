"""Pathways of CDNs that do not read CATs get that CDN's own credentials (edge section 7)."""

import time
from typing import Any

import pytest
from pydantic import ValidationError

from cat.errors import SignError
from cat.signers import akamai
from control_api.content_tokens import native_signers
from control_api.settings import Settings
from runtime.sql import Database

KEY = "00112233445566778899aabbccddeeff"


async def test_a_pathway_has_its_cdn_s_own_token(database: Database, make_api: Any) -> None:
    api = await make_api(database, native_signers={"CDN-A": {"kind": "akamai", "key": KEY}})
    status, answer = await api.start(channel_id="ch_demo")
    assert status == 201
    queries = {cdn["id"]: cdn["query"] for cdn in answer["cdns"]}
    assert queries["CDN-B"] is None
    token = queries["CDN-A"].removeprefix("hdnts=")
    secret, now = akamai.Secret.from_hex(KEY), time.time()
    assert akamai.verify(secret, token, path="/live/demo/v1/7.m4s", now=now) == "ok"
    assert akamai.verify(secret, token, path="/live/other/7.m4s", now=now) == "uri"
    assert akamai.verify(secret, token, path="/live/demo/v1/7.m4s", now=now + 601) == "expired"
    assert KEY not in str(answer)


def test_a_signer_that_does_not_fit_is_told_at_start() -> None:
    with pytest.raises(SignError):
        native_signers(Settings(native_signers={"A": {"kind": "akamai", "key": "no hex"}}))
    with pytest.raises(ValidationError):
        Settings(native_signers={"A": {"kind": "fastly", "key": "k"}})
    shown = repr(Settings(native_signers={"A": {"kind": "akamai", "key": KEY}}))
    assert KEY not in shown
