"""What travels of collections."""

from datetime import datetime
from typing import Annotated

from msgspec import Meta, field

from control_api.catalogue.types import Text, Title
from control_api.types import Answer, Id, Request


class CollectionDocument(Request):
    """Titles that belong together, by id, in the order they are shown."""

    texts: Annotated[list[Text], Meta(min_length=1, max_length=64)]
    items: Annotated[list[Id], Meta(max_length=200)] = field(default_factory=list)

    def __post_init__(self) -> None:
        for name, keys in (
            ("texts", [text.lang.lower() for text in self.texts]),
            ("items", self.items),
        ):
            if len(set(keys)) != len(keys):
                raise ValueError(f"{name} says something twice")


class CollectionEntry(Answer):
    """A collection as editors see it."""

    id: str
    version: int
    updated_at: datetime
    document: CollectionDocument


class CollectionEntryList(Answer):
    items: list[CollectionEntry]
    next_cursor: str | None


class CollectionHead(Answer):
    id: str
    title: str
    synopsis: str | None


class CollectionList(Answer):
    items: list[CollectionHead]
    next_cursor: str | None


class Collection(CollectionHead):
    """With its titles that can be seen; as a rail it is called `collection.{id}`."""

    items: list[Title] = field(default_factory=list)
