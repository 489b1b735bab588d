"""Routes of operators over jobs and purges (control-api section 3, `admin/{jobs,purge}`)."""

from control_api.jobs import handlers, purges, replays, types
from control_api.route import ADMIN, Route
from control_api.types import Page

JOBS, PURGE = "/v1/admin/jobs", "/v1/admin/purge"
ROUTES: tuple[Route, ...] = (
    Route(
        "GET",
        JOBS,
        handlers.page,
        types.JobList,
        ("bad_cursor",),
        scope=ADMIN,
        query=types.JobPage,
    ),
    Route("GET", JOBS + "/{id}", handlers.get, types.JobDetail, scope=ADMIN),
    Route(
        "POST",
        JOBS + "/{id}/cancel",
        handlers.cancel,
        types.JobDetail,
        ("bad_state",),
        scope=ADMIN,
    ),
    Route(
        "POST",
        "/v1/admin/dlq/replay",
        replays.ask,
        types.Job,
        scope=ADMIN,
        body=replays.ReplayRequest,
        status=202,
    ),
    Route("GET", PURGE, purges.page, types.JobList, ("bad_cursor",), scope=ADMIN, query=Page),
    Route(
        "POST",
        PURGE,
        purges.ask,
        purges.Purge,
        ("unknown_reference",),
        scope=ADMIN,
        body=purges.PurgeRequest,
        status=201,
    ),
    Route("GET", PURGE + "/{id}", purges.get, purges.Purge, scope=ADMIN),
    Route(
        "POST",
        PURGE + "/{id}/outcomes",
        purges.settle,
        purges.Purge,
        ("unknown_reference", "bad_state"),
        scope=ADMIN,
        body=purges.OutcomeRequest,
    ),
)
