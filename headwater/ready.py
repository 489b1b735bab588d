"""Telling the control API that a title is ready: one signed message (control-api CTL-155, CTL-171).

The message is `title.ready` at `POST /v1/hooks/{source}`; the API has the same secret for the
source in `control.webhooks.sources`.
"""

import secrets
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec
from pydantic import Field, SecretStr, field_validator

from control_api.webhooks.signature import secret_bytes, signed
from runtime.fetch import Fetcher, FetchError
from runtime.settings import Section

if TYPE_CHECKING:
    from origin.vod.package import Report

ID_BYTES = 16


class Packaging(Section):
    """Section `package`: what `headwater package` does beside registering."""

    notify_url: str = Field(default="", description="https://.../v1/hooks/SOURCE; empty: nobody")
    notify_secret: SecretStr = Field(default=SecretStr(""), description="whsec_...")

    @field_validator("notify_secret")
    @classmethod
    def _is_secret(cls, given: SecretStr) -> SecretStr:
        if given.get_secret_value():
            secret_bytes(given.get_secret_value())
        return given


async def tell(report: "Report", settings: Packaging) -> str | None:
    """Post the message; None when it was taken (or nobody is to be told), else why not."""
    if not settings.notify_url:
        return None
    if not settings.notify_secret.get_secret_value():
        return "package.notify_secret is not set"
    now_s = int(time.time())
    data = {
        "title_id": report.title,
        "origin_path": f"/vod/{report.title}/",
        "duration_ms": round(1_000 * report.duration_s),
        "renditions": [each.name for each in report.renditions],
    }
    at = datetime.fromtimestamp(now_s, UTC)
    body = msgspec.json.encode({"type": "title.ready", "timestamp": at, "data": data})
    key = secret_bytes(settings.notify_secret.get_secret_value())
    headers = signed([key], f"msg_{secrets.token_hex(ID_BYTES)}", now_s, body)
    try:
        async with Fetcher([settings.notify_url], name="ready") as fetcher:
            answer = await fetcher.post(settings.notify_url, body, headers)
    except FetchError as error:
        return str(error)
    return None if answer.status == 200 else f"the control API answered {answer.status}"
