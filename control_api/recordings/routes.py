"""The operations of recordings, as rows of the API's table."""

from control_api import types
from control_api.recordings import handlers, shapes
from control_api.route import Route

SCOPE = "recording"
REFUSALS = (  # CTL-121
    "event_not_found",
    "outside_dvr_window",
    "recording_not_allowed",
    "not_entitled",
    "account_suspended",
    "rental_expired",
    "uses_exhausted",
    "quota_exceeded",
    "parallel_limit",
    "bad_state",
)


ROUTES: tuple[Route, ...] = (
    Route(
        "POST",
        "/v1/recordings",
        handlers.record,
        shapes.Recording,
        REFUSALS,
        scope=SCOPE,
        body=shapes.RecordingRequest,
        status=201,
        also=(200,),
    ),
    Route(
        "GET",
        "/v1/recordings",
        handlers.list_recordings,
        shapes.RecordingList,
        ("bad_cursor",),
        scope=SCOPE,
        query=shapes.RecordingsQuery,
    ),
    Route(
        "GET",
        "/v1/recordings/{id}",
        handlers.get_recording,
        shapes.Recording,
        ("recording_not_found",),
        scope=SCOPE,
    ),
    Route(
        "DELETE",
        "/v1/recordings/{id}",
        handlers.delete_recording,
        None,
        ("recording_not_found", "bad_state"),
        scope=SCOPE,
        status=204,
    ),
    Route(
        "POST",
        "/v1/recordings/{id}/restore",
        handlers.restore_recording,
        shapes.Recording,
        ("recording_not_found", "bad_state"),
        scope=SCOPE,
    ),
    Route(
        "POST",
        "/v1/recordings/{id}/protect",
        handlers.protect_recording,
        shapes.Recording,
        ("recording_not_found", "bad_state", "protected_limit"),
        scope=SCOPE,
        body=shapes.ProtectRequest,
    ),
    Route(
        "POST",
        "/v1/recording-rules",
        handlers.make_rule,
        shapes.Rule,
        ("event_not_found", "rule_limit"),
        scope=SCOPE,
        body=shapes.RuleRequest,
        status=201,
    ),
    Route(
        "POST",
        "/v1/recording-rules/preview",
        handlers.preview_rule,
        shapes.Preview,
        ("event_not_found",),
        scope=SCOPE,
        body=shapes.RuleRequest,
    ),
    Route(
        "GET",
        "/v1/recording-rules",
        handlers.list_rules,
        shapes.RuleList,
        ("bad_cursor",),
        scope=SCOPE,
        query=types.Page,
    ),
    Route(
        "GET",
        "/v1/recording-rules/{id}",
        handlers.get_rule,
        shapes.Rule,
        ("rule_not_found",),
        scope=SCOPE,
    ),
    Route(
        "DELETE",
        "/v1/recording-rules/{id}",
        handlers.delete_rule,
        None,
        ("rule_not_found",),
        scope=SCOPE,
        status=204,
    ),
    Route("GET", "/v1/quota", handlers.get_quota, shapes.Quota, scope=SCOPE),
)
