"""What stands where a store's clients will, until it has started."""

from typing import Any

from runtime.store.interface import StoreError


class Absent:
    """Whatever it is asked for is StoreError."""

    def __getattr__(self, _name: str) -> Any:
        raise StoreError("unavailable", "not started")


ABSENT = Absent()
