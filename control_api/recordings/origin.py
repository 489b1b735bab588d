"""The origin as recordings need it: ranges held on its ingest port, looked at on its delivery port.

Source: origin/ingest/recordings.py (POST, DELETE /recordings) and CONTRACT (`/rec/{recording}/`).
Every call may be made twice. What cannot be done now is `OriginAway`, what never will be
`OriginRefused`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal, Protocol

import msgspec

from control_api.recordings import look
from control_api.recordings.settings import Recordings
from runtime.fetch import Fetched, Fetcher, FetchError

LASTING = frozenset({400, 404, 409, 410, 422})  # asking again changes nothing
ROOM = "too_many_holds"  # a 409 that ends when others let go
CONFIRM_S = 0.5  # CTL-188
LOOK_S = 5.0


class OriginAway(Exception):
    """Late, unreachable or out of order; ask again."""


class OriginRefused(Exception):
    """The origin's own code says why."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Held:
    """A range to hold: an asset's id, its channel's name, and an end once it is known; `copy` for
    objects of its own (CTL-127).
    """

    id: str
    channel: str
    start_ms: int
    end_ms: int | None = None
    copy: bool = False


class Copied(msgspec.Struct, frozen=True):
    """How far a private copy is, in objects; `error` is the origin's code of what stopped it, or
    made it wait.
    """

    state: Literal["copying", "complete", "failed"]
    objects: int = 0
    left: int = 0
    error: str = ""


class Origin(Protocol):
    async def hold(self, held: Held) -> None:
        """Keep a range from now on; with an end, close it."""

    async def release(self, asset_id: str, channel: str) -> None:
        """Let a range go; one that is unknown is gone already."""

    async def copied(self, asset_id: str, channel: str) -> Copied | None:
        """How far a private copy is; None when none was asked for."""

    async def look(
        self, asset_id: str, channel: str, start_ms: int, end_ms: int
    ) -> look.Report | None:
        """What is there of a range that has ended; None while its last bytes are on their way."""


class _Refusal(msgspec.Struct):
    error: str = ""


class _Told(msgspec.Struct):
    bytes: Annotated[int, msgspec.Meta(ge=0)] | None = None
    copy: Copied | None = None


class HttpOrigin:
    """Over HTTP."""

    def __init__(self, settings: Recordings, fetcher: Fetcher) -> None:
        self._settings = settings
        self._fetcher = fetcher
        self._headers = {
            name: value.get_secret_value() for name, value in settings.delivery_headers.items()
        }

    async def hold(self, held: Held) -> None:
        body: dict[str, object] = {"id": held.id, "channel": held.channel}
        body["start"] = held.start_ms / 1_000
        if held.end_ms is not None:
            body["end"] = held.end_ms / 1_000
        if held.copy:
            body["copy"] = True
        url = f"{self._settings.ingest_url}/recordings"
        raw = msgspec.json.encode(body)
        answer = await self._ask("POST", url, self._secret(held.channel), raw)
        if answer.status not in (200, 201):
            raise _refusal(answer)

    async def release(self, asset_id: str, channel: str) -> None:
        url = f"{self._settings.ingest_url}/recordings/{asset_id}"
        answer = await self._ask("DELETE", url, self._secret(channel))
        if answer.status not in (204, 404):
            raise _refusal(answer)

    async def look(
        self, asset_id: str, channel: str, start_ms: int, end_ms: int
    ) -> look.Report | None:
        base = f"{self._settings.delivery_url}/rec/{asset_id}/"
        url = f"{base}master.m3u8"
        master = await self._playlist(url)
        if master is None:
            return look.report({}, start_ms, end_ms)
        playlists = {}
        for each in look.tracks(master, url):
            text = await self._playlist(each)
            if text is not None and "#EXT-X-ENDLIST" not in text:
                return None
            playlists[each.removeprefix(base).partition("/")[0]] = text or ""
        report = look.report(playlists, start_ms, end_ms)
        return report._replace(size_bytes=(await self._told(asset_id, channel)).bytes)

    async def copied(self, asset_id: str, channel: str) -> Copied | None:
        return (await self._told(asset_id, channel)).copy

    async def _told(self, asset_id: str, channel: str) -> _Told:
        """What the origin tells of a range, which may be nothing."""
        url = f"{self._settings.ingest_url}/recordings/{asset_id}"
        answer = await self._ask("GET", url, self._secret(channel))
        if answer.status not in (200, 404):
            raise _refusal(answer)
        try:
            return msgspec.json.decode(answer.body, type=_Told)
        except ValueError:
            return _Told()

    async def _playlist(self, url: str) -> str | None:
        """A playlist's text; None when it is gone for good."""
        answer = await self._ask("GET", url, self._headers, timeout_s=LOOK_S)
        if answer.status in (404, 410):
            return None
        if answer.status != 200:
            raise OriginAway(f"status {answer.status}")
        return answer.body.decode("utf-8", "replace")

    async def _ask(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | None = None,
        *,
        timeout_s: float = CONFIRM_S,
    ) -> Fetched:
        try:
            return await self._fetcher.request(method, url, headers, body=body, timeout_s=timeout_s)
        except FetchError as error:
            raise OriginAway(str(error)) from None

    def _secret(self, channel: str) -> Mapping[str, str]:
        secret = self._settings.ingest_secrets.get(channel, self._settings.ingest_secret)
        text = secret.get_secret_value()
        return {"Authorization": f"Bearer {text}"} if text else {}


def _refusal(answer: Fetched) -> OriginAway | OriginRefused:
    try:
        code = msgspec.json.decode(answer.body, type=_Refusal).error
    except ValueError:
        code = ""
    if answer.status in LASTING and code != ROOM:
        return OriginRefused(code or f"status_{answer.status}")
    return OriginAway(code or f"status {answer.status}")
