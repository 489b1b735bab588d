"""Routes of terms: operators' books, and grants as households, services and support see them."""

from typing import Any

from control_api.route import JSON, MERGE_PATCH, Route
from control_api.terms import handlers, types, windows
from control_api.terms.blackouts import Blackouts
from control_api.terms.books import Book
from control_api.terms.sales import Offers, Packages
from control_api.types import Page

WRITE = "rights:write"  # CTL-162
GRANTS = "/v1/entitlements"
MATCHED = ("precondition_required", "precondition_failed")
REFERS = ("unknown_reference", "in_use", "exists")


def _book(path: str, book: Book[Any]) -> tuple[Route, ...]:
    """What can be done to every kind of entry."""
    one, entry = f"{path}/{{id}}", book.entry
    return (
        Route(
            "GET",
            path,
            handlers.listed(book),
            book.listing,
            ("bad_cursor",),
            scope=WRITE,
            query=Page,
        ),
        Route(
            "POST",
            path,
            handlers.created(book, path),
            entry,
            REFERS,
            scope=WRITE,
            body=book.document,
            status=201,
        ),
        Route("GET", one, handlers.found(book), entry, scope=WRITE),
        Route(
            "PATCH",
            one,
            handlers.changed(book),
            entry,
            (*REFERS, *MATCHED),
            scope=WRITE,
            body=bytes,
            media=(MERGE_PATCH, JSON),
        ),
    )


def _sale(path: str, book: Book[Any]) -> tuple[Route, ...]:
    """Entries that come and go from sale, and are never lost."""
    path = f"{path}/{{id}}/moves"
    handler, body = handlers.moved(book), types.SalesMove
    return (Route("POST", path, handler, book.entry, scope=WRITE, body=body),)


PACKAGES, OFFERS, BLACKOUTS = Packages(), Offers(), Blackouts()
ROUTES: tuple[Route, ...] = (
    *_book("/v1/admin/packages", PACKAGES),
    *_sale("/v1/admin/packages", PACKAGES),
    *_book("/v1/admin/offers", OFFERS),
    *_sale("/v1/admin/offers", OFFERS),
    *_book("/v1/admin/blackouts", BLACKOUTS),
    Route(
        "DELETE",
        "/v1/admin/blackouts/{id}",
        handlers.removed(BLACKOUTS),
        None,
        scope=WRITE,
        status=204,
    ),
    Route(
        "GET",
        "/v1/admin/rights",
        windows.page,
        windows.WindowList,
        ("bad_cursor",),
        scope=WRITE,
        query=windows.WindowPage,
    ),
    Route(
        "GET",
        GRANTS,
        handlers.own_grants,
        types.GrantList,
        ("bad_cursor",),
        scope="entitlement:check",
        query=Page,
    ),
    Route(
        "GET",
        "/v1/admin/entitlements",
        handlers.all_grants,
        types.GrantList,
        ("bad_cursor",),
        scope="session:terminate",
        query=types.GrantPage,
    ),
    Route(
        "POST",
        GRANTS,
        handlers.give,
        types.Grant,
        ("unknown_reference", "exists"),
        scope="entitlement:write",
        body=types.GrantRequest,
        status=201,
        keyed=True,
    ),
    Route(
        "DELETE",
        f"{GRANTS}/{{id}}",
        handlers.take,
        None,
        scope="entitlement:write",
        status=204,
    ),
)
