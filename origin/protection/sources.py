"""The key sources of an origin by name, as channels ask for them (settings.py LiveProtection)."""

from collections.abc import Mapping
from pathlib import Path

from origin.protection.file_source import FileSource
from origin.protection.keyfile import KeyFile
from origin.protection.source import KeySource
from origin.settings import Settings


def key_sources(settings: Settings, data_dir: Path) -> Mapping[str, KeySource]:
    """`file` alone needs nothing but the disk. A channel that names a source makes the key file
    where there is none.
    """
    asked = {c.protection.source for c in settings.channels.values() if c.protection is not None}
    if not asked:
        return {}
    return {"file": FileSource(KeyFile.open(settings.protection, data_dir, create=True))}
