"""Routes of the catalogue: public ones, which anybody may keep, and those of editors."""

from typing import Any

from msgspec import Struct

from control_api.catalogue import curated, curated_types, handlers, imports, types
from control_api.route import JSON, MERGE_PATCH, Handler, Route, public
from control_api.terms import handlers as books
from control_api.terms.books import Book
from control_api.types import Page

COLLECTIONS = "/v1/admin/collections"
WRITE = "catalog:write"  # CTL-162
CATALOGUE_S = 30  # CTL-7
LIMITS = ("guide",)  # CTL-164: of what is kept for many
CHANGES = ("content_not_found", "exists", "in_use", "bad_identifier", "unknown_reference")
MATCHED = ("precondition_required", "precondition_failed")
TITLES, ENTRIES, CHANNELS = "/v1/catalog/contents", "/v1/admin/contents", "/v1/admin/channels"


def _seen(path: str, handler: Handler, answer: type[Struct], *errors: str, **more: Any) -> Route:
    query = more.pop("query", types.Place)
    return public(path, handler, answer, CATALOGUE_S, query=query, errors=errors, **more)


def _edited(
    method: str, path: str, handler: Handler, answer: type[Struct] | None, **more: Any
) -> Route:
    return Route(method, path, handler, answer, scope=WRITE, **more)


def _patched(path: str, handler: Handler, answer: type[Struct]) -> Route:
    return _edited(
        "PATCH",
        path,
        handler,
        answer,
        body=bytes,
        media=(MERGE_PATCH, JSON),
        errors=(*CHANGES, *MATCHED),
    )


def _moved(path: str, handler: Handler, answer: type[Struct]) -> Route:
    errors = ("content_not_found", "bad_state", "precondition_failed")
    return _edited("POST", path, handler, answer, body=types.Move, errors=errors)


def _book(path: str, book: Book[Any]) -> tuple[Route, ...]:
    """What can be done to entries of a book."""
    one, entry = f"{path}/{{id}}", book.entry
    return (
        _edited("GET", path, books.listed(book), book.listing, query=Page, errors=("bad_cursor",)),
        _edited(
            "POST",
            path,
            books.created(book, path),
            entry,
            body=book.document,
            status=201,
            errors=("unknown_reference",),
        ),
        _edited("GET", one, books.found(book), entry),
        _patched(one, books.changed(book), entry),
        _edited("DELETE", one, books.removed(book), None, status=204),
    )


ROUTES: tuple[Route, ...] = (
    _seen(
        "/v1/channels",
        handlers.list_channels,
        types.ChannelList,
        "bad_cursor",
        query=types.ChannelPage,
    ),
    _seen(TITLES, handlers.list_titles, types.TitleList, "bad_cursor", query=types.TitlePage),
    _seen(f"{TITLES}/{{id}}", handlers.get_title, types.Title, "content_not_found"),
    _seen(
        f"{TITLES}/{{id}}/children",
        handlers.list_children,
        types.TitleList,
        "content_not_found",
        "bad_cursor",
        query=types.ChildPage,
    ),
    _seen(f"{TITLES}/{{id}}/related", handlers.list_related, types.Rail, "content_not_found"),
    _seen("/v1/genres", handlers.list_genres, types.GenreList, limits=LIMITS),
    _seen("/v1/rails", handlers.list_rails, types.RailList, limits=LIMITS),
    _seen("/v1/rails/{id}", handlers.get_rail, types.Rail, limits=LIMITS),
    _seen(
        "/v1/collections",
        handlers.list_collections,
        curated_types.CollectionList,
        "bad_cursor",
        query=types.ChildPage,
    ),
    _seen("/v1/collections/{id}", handlers.get_collection, curated_types.Collection),
    *_book(COLLECTIONS, curated.Collections()),
    _edited(
        "POST",
        TITLES,
        handlers.create,
        types.Entry,
        body=types.Document,
        status=201,
        errors=CHANGES,
    ),
    _patched(f"{TITLES}/{{id}}", handlers.patch, types.Entry),
    _edited(
        "DELETE",
        f"{TITLES}/{{id}}",
        handlers.remove,
        None,
        status=204,
        errors=("content_not_found", "in_use"),
    ),
    _moved(f"{TITLES}/{{id}}/moves", handlers.move, types.Entry),
    _edited(
        "POST",
        f"{TITLES}/{{id}}/publish",
        handlers.publish,
        types.Entry,
        errors=("content_not_found", "bad_state", "precondition_failed"),
    ),
    _edited(
        "GET",
        f"{TITLES}/{{id}}/windows",
        handlers.get_windows,
        types.Windows,
        errors=("content_not_found",),
    ),
    _edited(
        "PUT",
        f"{TITLES}/{{id}}/windows",
        handlers.put_windows,
        types.Windows,
        body=types.Windows,
        errors=("content_not_found", *MATCHED),
    ),
    _edited(
        "GET",
        ENTRIES,
        handlers.list_entries,
        types.EntryList,
        query=types.EntryPage,
        errors=("bad_cursor",),
    ),
    _edited(
        "POST",
        f"{ENTRIES}/imports",
        handlers.import_rows,
        types.ImportReport,
        body=bytes,
        media=(imports.JSON_LINES, imports.CSV),
        errors=("exists",),
        max_bytes=imports.MAX_BYTES,
    ),
    _edited(
        "GET",
        f"{ENTRIES}/{{id}}",
        handlers.get_entry,
        types.Entry,
        errors=("content_not_found",),
    ),
    _edited(
        "GET",
        f"{ENTRIES}/{{id}}/versions",
        handlers.list_versions,
        types.VersionList,
        query=Page,
        errors=("content_not_found", "bad_cursor"),
    ),
    _edited(
        "GET",
        f"{ENTRIES}/{{id}}/assets",
        handlers.list_assets,
        types.AssetList,
        errors=("content_not_found",),
    ),
    _edited(
        "PUT",
        f"{ENTRIES}/{{id}}/assets/{{asset}}",
        handlers.put_asset,
        types.Asset,
        body=types.AssetRequest,
        errors=("content_not_found", "exists"),
    ),
    _edited(
        "DELETE",
        f"{ENTRIES}/{{id}}/assets/{{asset}}",
        handlers.drop_asset,
        None,
        status=204,
    ),
    _edited(
        "GET",
        CHANNELS,
        handlers.list_channel_entries,
        types.ChannelEntryList,
        query=Page,
        errors=("bad_cursor",),
    ),
    _edited(
        "POST",
        CHANNELS,
        handlers.create_channel,
        types.ChannelEntry,
        body=types.ChannelRequest,
        status=201,
        errors=("exists",),
    ),
    _edited(
        "GET",
        f"{CHANNELS}/{{id}}",
        handlers.get_channel_entry,
        types.ChannelEntry,
        errors=("content_not_found",),
    ),
    _patched(f"{CHANNELS}/{{id}}", handlers.patch_channel, types.ChannelEntry),
    _moved(f"{CHANNELS}/{{id}}/moves", handlers.move_channel, types.ChannelEntry),
    Route(
        "GET",
        "/v1/admin/audit",
        handlers.list_audit,
        types.AuditList,
        scope="admin",
        query=types.AuditPage,
        errors=("bad_cursor",),
    ),
)
