"""What travels between those who search and the index."""

from typing import Annotated, Literal

from msgspec import Meta

from control_api.catalogue.types import Country, Slug
from control_api.types import Answer, Audience, Cursor

Kind = Literal["movie", "series", "season", "episode", "clip", "event", "channel", "programme"]


class SuggestQuery(Audience, kw_only=True):
    q: Annotated[str, Meta(min_length=1, max_length=100)]
    limit: Annotated[int, Meta(ge=1, le=50)] = 10
    territory: Country | None = None


class SearchQuery(SuggestQuery):
    """At most eight words of `q` are looked for."""

    kind: Kind | None = None
    genre: Slug | None = None
    cursor: Cursor | None = None


class Hit(Answer):
    id: str
    kind: str
    title: str
    year: int | None
    genres: list[str]


class FacetValue(Answer):
    value: str
    count: int


class Facets(Answer):
    """Counts over the hits that were looked at (400 at most)."""

    kind: list[FacetValue]
    genre: list[FacetValue]
    audio: list[FacetValue]
    decade: list[FacetValue]


class SearchAnswer(Answer):
    """`corrected` is what was searched where a word was not found as typed."""

    items: list[Hit]
    facets: Facets
    corrected: str | None
    next_cursor: str | None


class SuggestAnswer(Answer):
    items: list[Hit]
