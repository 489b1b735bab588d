"""Everything the proxy refuses, each with a stable code and an HTTP status hint.

ProxyError
├── ManifestError   502  the origin sent something that is no manifest, or an unsafe one
├── UpstreamError   502  the origin did not answer, 504 when it was too slow, else its own refusal
├── CohortError     404  the URL names a pathway that is not configured
├── FilterError     404  a filter that fits nothing, 400 when it cannot be read
├── SessionError    403  a session in a URL that this proxy did not sign
├── BlackoutError   403  rules shut this here and now
└── RulesError      400  a rule file that cannot be used
"""


class ProxyError(Exception):
    """A refusal: `code` for machines, `status` for the HTTP answer, `detail` for people."""

    status = 500

    def __init__(self, code: str, detail: str = "", *, status: int | None = None) -> None:
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code = code
        self.detail = detail
        if status is not None:
            self.status = status


class ManifestError(ProxyError):
    status = 502


class UpstreamError(ProxyError):
    status = 502


class CohortError(ProxyError):
    status = 404


class RulesError(ProxyError):
    status = 400


class FilterError(ProxyError):
    status = 404


class SessionError(ProxyError):
    status = 403


class BlackoutError(ProxyError):
    status = 403
