"""Routes of the guide."""

from control_api import types
from control_api.epg import export
from control_api.guide import handlers, xmltv
from control_api.guide.types import LiveQuery, ProgrammeDetail, ProgrammeQuery
from control_api.route import EVENT_STREAM, Route, public

LIMITS = ("guide",)  # CTL-164

ROUTES: tuple[Route, ...] = (
    public("/v1/epg", handlers.epg_grid, types.Grid, 60, query=types.GridQuery, limits=LIMITS),
    public("/v1/epg/now", handlers.epg_now, types.NowList, 10, query=types.NowQuery, limits=LIMITS),
    public(
        "/v1/epg/events/{id}",
        handlers.epg_programme,
        ProgrammeDetail,
        60,
        query=ProgrammeQuery,
        limits=LIMITS,
    ),
    Route(
        "GET",
        "/v1/epg/xmltv",
        xmltv.epg_xmltv,
        None,
        query=types.GridQuery,
        produces=export.MEDIA_TYPE,
        limits=("guide_file",),
    ),
    Route(
        "GET",
        "/v1/epg/live",
        handlers.epg_live,
        None,
        query=LiveQuery,
        produces=EVENT_STREAM,
        limits=LIMITS,
    ),
)
