"""Routes of the guide's desk (control-api section 3, CTL-62, CTL-68)."""

from control_api.epg import desk, intake, sources
from control_api.route import Route

EDITOR = "epg:import"  # CTL-162
FORMER = "catalog:write"
SOURCE = "/v1/admin/epg/sources"
IMPORT = "/v1/admin/epg/imports"

ROUTES: tuple[Route, ...] = (
    Route("GET", SOURCE, desk.list_sources, desk.GuideSources, scope=EDITOR, formerly=FORMER),
    Route("GET", SOURCE + "/{id}", sources.get, sources.SourceEntry, ("not_found",), scope=EDITOR),
    Route(
        "PUT",
        SOURCE + "/{id}",
        sources.put,
        sources.SourceEntry,
        ("unknown_reference",),
        scope=EDITOR,
        body=sources.SourceDocument,
        max_bytes=1 << 20,
    ),
    Route(
        "GET",
        IMPORT,
        desk.list_runs,
        desk.ImportRuns,
        ("bad_cursor",),
        scope=EDITOR,
        query=desk.RunsQuery,
        formerly=FORMER,
    ),
    Route(
        "POST",
        IMPORT,
        intake.upload,
        desk.ImportRun,
        ("not_found", "bad_state"),
        scope=EDITOR,
        query=intake.UploadQuery,
        body=bytes,
        status=202,
        media=intake.MEDIA,
        max_bytes=intake.MAX_BYTES,
    ),
    Route("GET", IMPORT + "/{id}", intake.get, desk.ImportRun, ("not_found",), scope=EDITOR),
    Route(
        "POST",
        IMPORT + "/{id}/apply",
        intake.apply,
        desk.ImportRun,
        ("not_found", "bad_state"),
        scope=EDITOR,
        status=202,
    ),
)
