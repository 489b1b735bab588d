"""`/recordings` on the ingest listener: the control API freezes ranges here (JSON over HTTP).

    POST   /recordings       {"id", "channel", "start", "end"?, "copy"?}   201 new, 200 known
    GET    /recordings[/id]  200 one, with the "bytes" that are stored of it, or
                             {"recordings": [...]}
    DELETE /recordings/{id}  204, 404 when there is none

Times are epoch seconds or ISO 8601 strings; without an end, or with one ahead, the recording can be
played while it grows. With `copy` it is stored once more, as objects of its own that outlive the
channel's; "copy" then tells {"state", "objects", "left", "bytes", "left_bytes", "error"}, where
state is copying, complete or failed (control-api CTL-127). A recording wants a secret of its
channel, as a push does; the list has what the request's secret opens. Refusals are
{"error", "detail"} with a stable code.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from aiohttp import web

from origin.errors import BadMedia, Forbidden, OriginError
from origin.ingest.admission import admit
from origin.ingest.names import NAME
from origin.live.copies import Facts
from origin.live.holds import Hold
from origin.live.ranges import moment, ordered
from origin.live.recordings import Recording, Recordings
from origin.settings import Settings

BODY_BYTES = 16384
COPY = ("state", "objects", "left", "bytes", "left_bytes", "error")
Handler = Callable[[web.Request], Awaitable[web.Response]]


class _Asked(msgspec.Struct, forbid_unknown_fields=True):
    id: str
    channel: str
    start: str | float
    end: str | float | None = None
    copy: bool = False


def mount(app: web.Application, recordings: Recordings, settings: Settings) -> None:
    """Add the routes; before any route that takes every path."""

    def admits(request: web.Request, hold: Hold) -> None:
        admit(settings, hold.channel, request.headers.get("Authorization", ""))

    def named(request: web.Request) -> Recording:
        recording = _named(recordings, request)
        admits(request, recording.hold)
        return recording

    def opened(request: web.Request, recording: Recording) -> bool:
        try:
            admits(request, recording.hold)
        except Forbidden:
            return False
        return True

    async def create(request: web.Request) -> web.Response:
        hold = _hold(await request.content.read(BODY_BYTES + 1))
        admits(request, hold)
        recording, new = recordings.create(hold)
        return _answer(_told(recording), status=201 if new else 200)

    async def show_all(request: web.Request) -> web.Response:
        found = [_told(each) for each in recordings.all() if opened(request, each)]
        return _answer({"recordings": found})

    async def show(request: web.Request) -> web.Response:
        recording = named(request)
        told = {**_told(recording), "bytes": recordings.size_bytes(recording)}
        if recording.hold.copy:
            told["copy"] = _copy(recordings.copies.facts(recording.hold.id))
        return _answer(told)

    async def remove(request: web.Request) -> web.Response:
        recordings.remove(named(request).hold.id)
        return web.Response(status=204, headers={"Cache-Control": "no-store"})

    app.router.add_route("POST", "/recordings", _refusing(create))
    app.router.add_route("GET", "/recordings", _refusing(show_all))
    app.router.add_route("GET", "/recordings/{id}", _refusing(show))
    app.router.add_route("DELETE", "/recordings/{id}", _refusing(remove))


def _hold(body: bytes) -> Hold:
    if len(body) > BODY_BYTES:
        raise BadMedia("the body is too long", code="bad_request")
    try:
        asked = msgspec.json.decode(body, type=_Asked)
    except ValueError as error:
        raise BadMedia(f"not a recording: {error}", code="bad_request") from None
    if not (NAME.fullmatch(asked.id) and NAME.fullmatch(asked.channel)):
        raise BadMedia("ids have 1..64 of A-Z a-z 0-9 _ ~ -", code="bad_name")
    end_s = None if asked.end is None else moment(_text(asked.end))
    wanted = ordered(moment(_text(asked.start)), end_s)
    return Hold(asked.id, asked.channel, wanted, asked.copy)


def _text(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:.6f}"


def _named(recordings: Recordings, request: web.Request) -> Recording:
    name = request.match_info["id"]
    recording = recordings.get(name) if NAME.fullmatch(name) else None
    if recording is None:
        raise OriginError("no such recording", code="unknown_recording", status=404)
    return recording


def _told(recording: Recording) -> dict[str, Any]:
    asked = recording.hold.asked
    return {
        "id": recording.hold.id,
        "channel": recording.hold.channel,
        "start": float(asked.start_s),
        "end": None if asked.end_s is None else float(asked.end_s),
        "state": recording.state,
        "path": f"/rec/{recording.hold.id}/",
    }


def _copy(facts: Facts) -> dict[str, Any]:
    return {name: getattr(facts, name) for name in COPY}


def _answer(value: object, status: int = 200) -> web.Response:
    return web.json_response(value, status=status, headers={"Cache-Control": "no-store"})


def _refusing(handler: Handler) -> Handler:
    async def answer(request: web.Request) -> web.Response:
        try:
            return await handler(request)
        except OriginError as error:
            return _answer({"error": error.code, "detail": error.detail}, status=error.status)

    return answer
