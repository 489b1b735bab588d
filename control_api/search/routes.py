"""Routes of search."""

from control_api.route import Route, public
from control_api.search import handlers, types

SEARCH_S = 30  # CTL-7

ROUTES: tuple[Route, ...] = (
    public(
        "/v1/search",
        handlers.search,
        types.SearchAnswer,
        SEARCH_S,
        query=types.SearchQuery,
        errors=("bad_cursor",),
        limits=("search",),
        flag="search",
    ),
    public(
        "/v1/search/suggest",
        handlers.suggest,
        types.SuggestAnswer,
        SEARCH_S,
        query=types.SuggestQuery,
        limits=("search",),
    ),
)
