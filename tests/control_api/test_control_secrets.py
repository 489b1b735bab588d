"""Secrets stay out of log lines, errors and metrics, whatever becomes of a request (CTL-9, 163)."""

import json
import logging
from typing import Any

import pytest
import structlog

from control_api import seed
from control_api.issuer import VIEWER_SCOPES
from control_api.webhooks.signature import secret_text
from runtime import logs
from runtime.sql import Database

HOOK_SECRET = secret_text(b"marked-hook-secret-of-32-bytes--")
PASSWORD, PIN = "marked-password-of-the-house", "86420975"
MERGE = {"Content-Type": "application/merge-patch+json"}
SCOPES = VIEWER_SCOPES | {"admin", "webhook:manage", "tokens:issue", "tokens:introspect"}


@pytest.fixture
async def file_database(tmp_path: Any) -> Any:
    async with Database(f"sqlite:///{tmp_path / 'secrets.sqlite'}", timeout_ms=10_000) as database:
        yield database


@pytest.fixture
async def heard(file_database: Database, make_api: Any, capsys: Any) -> Any:
    """An API that logs as in production, down to the debug lines."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    logs.setup("control", "debug")
    sources = {"billing": {"secrets": [HOOK_SECRET]}}
    yield await make_api(file_database, demo_password=PASSWORD, webhooks={"sources": sources})
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


async def ask(api: Any, secrets: set[str], path: str, body: Any, **more: Any) -> Any:
    """A call whose bearer token is one of the secrets; what it answers, never echoed in errors."""
    headers = api.bearer(scopes=SCOPES) | more.pop("headers", {})
    secrets.add(headers["Authorization"].partition(" ")[2])
    status, answer = await api.send(more.pop("method", "POST"), path, body, headers=headers, **more)
    if status >= 400:
        assert not [secret for secret in secrets if secret in json.dumps(answer)], path
    return answer


async def play(api: Any) -> set[str]:
    """Good and bad requests with every kind of secret; the secrets."""
    secrets = {PASSWORD, PIN, HOOK_SECRET, "marked-wrong-password", "marked-refresh-token"}
    login = {"grant_type": "password", "username": seed.USERNAME, "password": PASSWORD}
    signed_in = await ask(api, secrets, "/v1/auth/token", login)
    secrets |= {signed_in["access_token"], signed_in["refresh_token"]}
    for wrong in (
        {"password": "marked-wrong-password"},
        {"password": "marked-wrong-password", "surprise": PASSWORD},
        {"password": ["marked-wrong-password"]},
    ):
        await ask(api, secrets, "/v1/auth/token", login | wrong)
    for word in ("refresh", "revoke"):
        await ask(api, secrets, f"/v1/auth/{word}", {"refresh_token": "marked-refresh-token"})
    again = {"refresh_token": signed_in["refresh_token"]}
    secrets.add((await ask(api, secrets, "/v1/auth/refresh", again))["refresh_token"])
    await ask(api, secrets, "/v1/auth/refresh", again)  # reused

    profile = await ask(api, secrets, "/v1/profiles", {"name": "Ada", "pin": PIN})
    one = f"/v1/profiles/{profile['id']}"
    for change in ({"name": "Eve", "current_pin": PIN[::-1]}, {"pin": PIN + "x"}, {"pin": None}):
        await ask(api, secrets, one, change, method="PATCH", headers=MERGE)
    secrets.add(PIN[::-1])

    hook = {"url": "https://ada:marked-url-password@hooks.example/in", "topics": ["*"]}
    await ask(api, secrets | {"marked-url-password"}, "/v1/webhooks", hook)
    made = await ask(api, secrets, "/v1/webhooks", hook | {"url": "https://hooks.example/in"})
    secrets |= {"marked-url-password", made["secret"]}
    rotate = f"/v1/webhooks/{made['endpoint']['id']}/rotate"
    secrets.add((await ask(api, secrets, rotate, None))["secret"])
    await ask(api, secrets, "/v1/hooks/billing", {"secret": HOOK_SECRET})

    new = {"name": "CMS", "scopes": ["webhook:manage"]}
    key = (await ask(api, secrets, "/v1/admin/keys", new))["secret"]
    for text in (key, key[:-1] + "~", key + "x"):
        headers = {"Authorization": f"Bearer {text}"}
        await ask(api, secrets, "/v1/webhooks", None, method="GET", headers=headers)
        await ask(api, secrets, "/v1/admin/keys", new, headers=headers)

    device = {"id": "one"}
    started = await ask(
        api, secrets, "/v1/playback/start", {"device": device, "channel_id": "ch_demo", "pin": PIN}
    )
    wrong = {"device": device, "channel_id": "ch_demo", "pin": PIN + PIN}
    await ask(api, secrets, "/v1/entitlements/check", wrong)
    token = (await ask(api, secrets, "/v1/tokens", {"ttl_s": 60}))["token"]
    secrets |= {started["token"], token}
    await ask(api, secrets, "/v1/tokens/introspect", {"token": token, "uri": f"/x?CAT={token}"})
    await ask(api, secrets, "/v1/tokens/introspect", {"token": [token]})
    for query in ("token", "access_token", "CAT", "key", "password"):
        await ask(api, secrets, f"/v1/quota?{query}={token}", None, method="GET")
        await ask(api, secrets, f"/v1/search?{query}={PASSWORD}", None, method="GET")
    await ask(api, secrets, f"/v1/sessions/{token[:64]}/stop", None)
    forged = {"Authorization": f"Bearer {signed_in['access_token']}x"}
    await ask(api, secrets, "/v1/quota", None, method="GET", headers=forged)
    basic = {"Authorization": "Basic bWFya2VkLWJhc2ljLXBhc3N3b3Jk"}
    await ask(api, secrets, "/v1/quota", None, method="GET", headers=basic)
    return secrets


async def test_no_secret_is_in_a_log_line_an_error_or_a_metric(heard: Any, capsys: Any) -> None:
    secrets = await play(heard)
    sealed = [json.loads(path.read_text()) for path in heard.home.glob("*-key*.json")]
    private = {key[name] for file in sealed for key in file for name in ("d", "k") if name in key}
    assert private and len(secrets) > 40
    async with heard.client.get(f"{heard.url}/metrics") as answer:
        metrics = await answer.text()
    assert "headwater_control_problems" in metrics
    lines = capsys.readouterr().out
    assert lines.count('"event":"request"') > 30 and '"problem"' in lines
    for secret in secrets | private:
        assert secret not in lines, [line for line in lines.splitlines() if secret in line]
        assert secret not in metrics
