"""The key sources of an origin by name, as channels ask for them (settings.py LiveProtection)."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from origin.protection.errors import ProtectionError
from origin.protection.file_source import FileSource
from origin.protection.keyfile import KeyFile
from origin.protection.source import KeySource
from origin.settings import Protection, Settings

if TYPE_CHECKING:
    from origin.protection.cpix_source import CpixSource
    from origin.protection.speke_source import SpekeSource


def key_sources(settings: Settings, data_dir: Path) -> Mapping[str, KeySource]:
    """`file` alone needs nothing but the disk; `speke` is the configured server, `cpix:PATH` a
    document. A channel that names a source makes the key file where there is none.
    """
    asked = {c.protection.source for c in settings.channels.values() if c.protection is not None}
    if not asked:
        return {}
    file = KeyFile.open(settings.protection, data_dir, create=True)
    rotations = {
        c.protection.content_id or name: c.protection.rotation_s
        for name, c in settings.channels.items()
        if c.protection is not None
    }
    return {"file": FileSource(file)} | {
        name: outside(name, settings.protection, file, rotations)
        for name in sorted(asked - {"file"})
    }


def outside(
    name: str, settings: Protection, file: KeyFile, rotations: Mapping[str, int] | None = None
) -> "SpekeSource | CpixSource":
    """A source that is not ours by its name; what it takes to read it is imported here.
    `rotations`: how long the crypto periods of content ids are, in seconds.
    """
    kind, _, path = name.partition(":")
    if kind == "speke" and not path and settings.speke.url:
        from origin.protection.speke_source import SpekeSource

        return SpekeSource(settings.speke, file, settings.systems, rotations)
    if kind == "cpix" and path:
        from origin.protection.cpix_source import CpixSource

        return CpixSource(Path(path), settings.cpix, file)
    raise ProtectionError("no_key", "a key source is file, speke (with its url) or cpix:PATH")
