"""Every error of the API, once: code -> status and title (CTL-5).

The body is `application/problem+json` (RFC 9457); log line and metric label carry the same code.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

MEDIA_TYPE = "application/problem+json"


class Kind(NamedTuple):
    status: int
    title: str


# fmt: off
TABLE: Mapping[str, Kind] = {
    "invalid":                 Kind(400, "The request is not understood"),              # CTL-4
    "bad_cursor":              Kind(400, "The cursor is not of this list"),             # CTL-6
    "idempotency_required":    Kind(400, "Idempotency-Key is needed"),                  # CTL-156
    "authorization_pending":   Kind(400, "Nobody has allowed the device yet"),          # CTL-161
    "slow_down":               Kind(400, "The device asks too often"),                  # CTL-161
    "expired_token":           Kind(400, "The device's code is good no more"),          # CTL-161
    "access_denied":           Kind(400, "The device was refused"),                     # CTL-161
    "unauthenticated":         Kind(401, "Sign in first"),                              # CTL-70
    "bad_credentials":         Kind(401, "Unknown user or wrong password"),             # CTL-161
    "bad_signature":           Kind(401, "The message is not signed as agreed"),        # CTL-155
    "refresh_reused":          Kind(401, "The sign-in was ended, sign in again"),       # CTL-161
    "forbidden_scope":         Kind(403, "The token does not allow this operation"),    # CTL-70
    "account_suspended":       Kind(403, "The account is suspended"),                   # CTL-71
    "device_revoked":          Kind(403, "The device was signed out"),                  # CTL-72
    "device_limit":            Kind(403, "Too many devices"),                           # CTL-72
    "outside_window":          Kind(403, "Not available at this time"),                 # CTL-74
    "geo_blocked":             Kind(403, "Not available in this country"),              # CTL-75
    "geo_unknown":             Kind(403, "The country could not be told"),              # CTL-75
    "blackout":                Kind(403, "Not shown here now"),                         # CTL-76
    "pin_required":            Kind(403, "The parental PIN is needed"),                 # CTL-77
    "pin_wrong":               Kind(403, "Wrong PIN"),                                  # CTL-77
    "pin_locked":              Kind(403, "Too many wrong PINs"),                        # CTL-77
    "catchup_not_allowed":     Kind(403, "No catch-up for this programme"),             # CTL-78
    "startover_not_allowed":   Kind(403, "No start-over for this programme"),           # CTL-78
    "outside_catchup_window":  Kind(403, "Not in the time of catch-up"),                # CTL-78
    "not_entitled":            Kind(403, "Not part of the subscription"),               # CTL-79
    "rental_expired":          Kind(403, "The rental is over"),                         # CTL-79
    "uses_exhausted":          Kind(403, "All plays are used up"),                      # CTL-79
    "recording_not_allowed":   Kind(403, "This may not be recorded"),                   # CTL-121
    "not_found":               Kind(404, "No such resource"),                           # CTL-8
    "content_not_found":       Kind(404, "No such title or channel"),                   # CTL-73
    "session_not_found":       Kind(404, "No such session"),                            # CTL-106
    "recording_not_found":     Kind(404, "No such recording"),                          # CTL-8
    "rule_not_found":          Kind(404, "No such rule"),                               # CTL-8
    "profile_not_found":       Kind(404, "No such profile"),                            # CTL-8
    "method_not_allowed":      Kind(405, "The method is not allowed here"),             # CTL-4
    "too_slow":                Kind(408, "The body came too slowly"),                   # CTL-188
    "bad_state":               Kind(409, "Not possible in this state"),                 # CTL-120
    "in_use":                  Kind(409, "Something else depends on it"),               # CTL-31
    "exists":                  Kind(409, "There is one already"),                       # CTL-8
    "stream_limit":            Kind(409, "Too many streams at once"),                   # CTL-103
    "quota_exceeded":          Kind(409, "The recording quota is used up"),             # CTL-121
    "parallel_limit":          Kind(409, "Too many recordings at once"),                # CTL-121
    "rule_limit":              Kind(409, "Too many rules"),                             # CTL-129
    "protected_limit":         Kind(409, "Too much is protected"),                      # CTL-130
    "profile_limit":           Kind(409, "Too many profiles"),                          # section 3
    "endpoint_limit":          Kind(409, "Too many webhooks"),                          # CTL-150
    "idempotency_running":     Kind(409, "The same request is being answered"),         # CTL-156
    "session_terminated":      Kind(410, "The session was ended"),                      # CTL-105
    "precondition_failed":     Kind(412, "It was changed meanwhile"),                   # CTL-8
    "too_large":               Kind(413, "The body is too large"),                      # CTL-4
    "unsupported_media_type":  Kind(415, "The body must be application/json"),          # CTL-4
    "idempotency_mismatch":    Kind(422, "The key was used for another request"),       # CTL-156
    "bad_url":                 Kind(422, "Nothing is sent to this URL"),                # CTL-154
    "bad_identifier":          Kind(422, "The identifier is not well formed"),          # CTL-34
    "event_not_found":         Kind(422, "No such programme"),                          # CTL-121
    "outside_dvr_window":      Kind(422, "It began too long ago"),                      # CTL-121
    "bad_position":            Kind(422, "The position is behind the end"),             # CTL-140
    "unknown_reference":       Kind(422, "It names what does not exist"),               # CTL-34
    "precondition_required":   Kind(428, "If-Match is needed"),                         # CTL-8
    "rate_limited":            Kind(429, "Too many requests"),                          # CTL-164
    "internal":                Kind(500, "The server failed"),                          # CTL-5
    "entitlement_unavailable": Kind(503, "Rights cannot be checked now"),               # CTL-84
    "token_unavailable":       Kind(503, "Playback tokens cannot be made now"),         # CTL-188
    "switched_off":            Kind(503, "Switched off for now"),                       # section 12
    "unavailable":             Kind(503, "The service cannot answer now"),              # CTL-188
}
# fmt: on


class Problem(Exception):
    """An answer that is an error: a code of `TABLE`, what happened, and members a rule names."""

    def __init__(
        self,
        code: str,
        detail: str = "",
        *,
        headers: Mapping[str, str] | None = None,
        **members: Any,
    ) -> None:
        super().__init__(code)
        self.code = code
        self.status, self.title = TABLE[code]
        self.detail = detail or self.title
        self.headers = dict(headers or {})
        self.members = members

    def body(self, request_id: str) -> dict[str, Any]:
        """The problem document of RFC 9457 section 3, `instance` being the request's id."""
        return {
            "type": f"urn:headwater:problem:{self.code}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "instance": request_id,
            "code": self.code,
            **self.members,
        }
