"""The operations of viewers, as rows of the API's table."""

from control_api.route import MERGE_PATCH, Route
from control_api.viewers import bookmarks, profiles, shapes, watching

SCOPE = "playback"
PINS = ("pin_required", "pin_wrong", "pin_locked")


ROUTES: tuple[Route, ...] = (
    Route(
        "POST",
        "/v1/profiles",
        profiles.add,
        shapes.Profile,
        ("profile_limit", *PINS),
        scope=SCOPE,
        body=shapes.ProfileRequest,
        status=201,
    ),
    Route("GET", "/v1/profiles", profiles.page, shapes.ProfileList, scope=SCOPE),
    Route(
        "GET",
        "/v1/profiles/{id}",
        profiles.get,
        shapes.Profile,
        ("profile_not_found",),
        scope=SCOPE,
    ),
    Route(
        "PATCH",
        "/v1/profiles/{id}",
        profiles.change,
        shapes.Profile,
        ("profile_not_found", *PINS),
        scope=SCOPE,
        body=shapes.ProfileChange,
        media=(MERGE_PATCH,),
    ),
    Route(
        "DELETE",
        "/v1/profiles/{id}",
        profiles.remove,
        None,
        ("invalid", "profile_not_found", *PINS),
        scope=SCOPE,
        status=204,
    ),
    Route(
        "PUT",
        "/v1/bookmarks/{content}",
        bookmarks.put,
        shapes.Bookmark,
        ("profile_not_found", "content_not_found", "bad_position"),
        scope=SCOPE,
        query=shapes.Whose,
        body=shapes.BookmarkRequest,
    ),
    Route(
        "GET",
        "/v1/bookmarks/{content}",
        bookmarks.get,
        shapes.Bookmark,
        ("profile_not_found",),
        scope=SCOPE,
        query=shapes.Whose,
    ),
    Route(
        "GET",
        "/v1/continue-watching",
        watching.go_on,
        shapes.GoOnList,
        ("profile_not_found",),
        scope=SCOPE,
        query=shapes.GoOnQuery,
    ),
    Route(
        "GET",
        "/v1/watchlist",
        watching.wishes,
        shapes.Watchlist,
        ("profile_not_found", "bad_cursor"),
        scope=SCOPE,
        query=shapes.WhosePage,
    ),
    Route(
        "PUT",
        "/v1/watchlist/{content}",
        watching.wish,
        None,
        ("profile_not_found", "content_not_found", "in_use"),
        scope=SCOPE,
        query=shapes.Whose,
        status=204,
    ),
    Route(
        "DELETE",
        "/v1/watchlist/{content}",
        watching.unwish,
        None,
        ("profile_not_found",),
        scope=SCOPE,
        query=shapes.Whose,
        status=204,
    ),
)
