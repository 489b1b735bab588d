"""The delivery protocol: HTTP/1.1 GET and HEAD on uvloop, strict, without a copy of a body.

A handler maps a Request to an Entity, a Refusal, a Growing object, a place at a Gate or a Stream;
CORS, OPTIONS, HEAD, conditions, ranges, coding choice, dates, keep-alive, pipelining, limits and
drain are the protocol's work (specs/http1.md). Objects put into a Hot table are answered without
the handler; other kernels plug in behind that table as a Desk.
"""

from native.http.desk import Desk
from native.http.entity import Entity, Refusal
from native.http.errors import EndedError, HeadError
from native.http.gate import Gate, Parked
from native.http.growing import Growing
from native.http.hot import Hot
from native.http.limits import Limits
from native.http.request import Request
from native.http.server import Answer, Handler, Server, serve
from native.http.stream import Stream

__all__ = [
    "Answer",
    "Desk",
    "EndedError",
    "Entity",
    "Gate",
    "Growing",
    "Handler",
    "HeadError",
    "Hot",
    "Limits",
    "Parked",
    "Refusal",
    "Request",
    "Server",
    "Stream",
    "serve",
]
