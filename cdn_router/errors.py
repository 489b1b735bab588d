"""Everything the router refuses, each with a stable code and an HTTP status hint.

RouterError
├── RequestError   400  a body or an admin change that cannot be used
│   ├── TooLarge   413  more than one request may carry
│   └── Unsupported 415 another kind of body than the endpoint reads
├── NotFound       404  no such pathway or session (never on a steering URL: ST-21)
├── Gone           410  steering is off for this session, deliberately (ST-20)
├── Conflict       409  a plan that is older than the one that holds
├── Forbidden      403  a change without the operator's token
├── Busy           429  this peer sends more than its share
└── EmitError      500  a steering manifest that would break the wire rules
"""


class RouterError(Exception):
    """A refusal: `code` for machines, `status` for the HTTP answer, `detail` for people."""

    status = 500

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code = code
        self.detail = detail


class RequestError(RouterError):
    status = 400


class TooLarge(RequestError):
    status = 413


class Unsupported(RequestError):
    status = 415


class Busy(RouterError):
    status = 429


class NotFound(RouterError):
    status = 404


class Gone(RouterError):
    status = 410


class Conflict(RouterError):
    status = 409


class Forbidden(RouterError):
    status = 403


class EmitError(RouterError):
    status = 500
