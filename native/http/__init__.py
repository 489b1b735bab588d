"""The delivery protocol: HTTP/1.1 GET and HEAD on uvloop, strict, without a copy of a body.

A handler maps a Request to an Entity, a Refusal or a Stream; CORS, OPTIONS, HEAD, conditions,
ranges, coding choice, dates, keep-alive, pipelining, limits and drain are the protocol's work
(specs/http1.md). Objects put into a Hot table are answered without the handler.
"""

from native.http.answered import Answered
from native.http.entity import Entity, Refusal
from native.http.errors import HeadError
from native.http.hot import Hot
from native.http.limits import Limits
from native.http.request import Request
from native.http.server import Answer, Handler, Server, serve
from native.http.stream import Stream

__all__ = [
    "Answer",
    "Answered",
    "Entity",
    "Handler",
    "HeadError",
    "Hot",
    "Limits",
    "Refusal",
    "Request",
    "Server",
    "Stream",
    "serve",
]
