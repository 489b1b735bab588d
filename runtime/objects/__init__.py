"""The object store: named bodies in a folder (embedded) or in S3, and the choice between them."""

from pathlib import Path

from runtime import sections
from runtime.objects.folder import FolderStore
from runtime.objects.interface import Object, ObjectError, ObjectInfo, ObjectStore
from runtime.objects.s3 import S3Store

__all__ = ["FolderStore", "Object", "ObjectError", "ObjectInfo", "ObjectStore", "S3Store", "choose"]


def choose(settings: sections.Objects, data_dir: Path) -> ObjectStore:
    """S3 when `objects.url` names an endpoint, else a folder under the data directory."""
    return S3Store(settings) if settings.url else FolderStore(data_dir / "objects")
