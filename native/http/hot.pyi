"""Objects answered without the handler (C face: hot.pxd)."""

from typing_extensions import disjoint_base

from native.http.entity import Entity

@disjoint_base
class Hot:
    """put, drop, get by decoded path; the protocol asks it before the handler (HT-6)."""

    def put(self, path: str, entity: Entity) -> None:
        """Publish `entity` under the decoded `path`, in place of what was there."""
    def drop(self, path: str) -> None:
        """Forget `path`; unknown ones are no error."""
    def get(self, path: str) -> Entity | None:
        """What is served under `path`."""
    def __len__(self) -> int: ...
