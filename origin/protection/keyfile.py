"""The key file and the master key on disk (specs/protection.md PR-90)."""

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from origin.protection.errors import ProtectionError
from origin.protection.keys import ContentKey
from origin.protection.vault import MASTER_BYTES, Masters, Vault
from origin.settings import Protection

OTHERS = 0o077  # permission bits of anybody but the owner


def masters(settings: Protection, data_dir: Path, *, create: bool = False) -> Masters:
    """The master keys: from the settings (an environment variable), else from a file of mode 0600.

    `create` makes that file when nothing was configured.
    """
    given = settings.master_key.get_secret_value()
    if given:
        return Masters.parse(given)
    path = master_path(settings, data_dir)
    if create and not settings.master_key_file and not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        whole = path.with_name(f"{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
        write_private(whole, os.urandom(MASTER_BYTES).hex().encode() + b"\n")
        with contextlib.suppress(FileExistsError):
            os.link(whole, path)  # whoever reads finds all of it, and one of two makers wins
        whole.unlink()
    try:
        if path.stat().st_mode & OTHERS:
            raise ProtectionError("sealed", f"{path.name} must have mode 0600")
        return Masters.parse(path.read_text())
    except OSError as error:
        raise ProtectionError("sealed", f"no master key: {error.strerror}") from error


def master_path(settings: Protection, data_dir: Path) -> Path:
    return Path(settings.master_key_file or data_dir / "origin" / "master.key")


def rotate(settings: Protection, data_dir: Path) -> int:
    """Make a new master key, seal all keys with it, forget the old ones; how many keys changed.

    Processes that run read both files again when the key file changes, and open it all the time.
    """
    if settings.master_key.get_secret_value():
        what = "the master key is in the settings: put a new one before it there, then reseal"
        raise ProtectionError("sealed", what)
    path = master_path(settings, data_dir)
    with path.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        masters(settings, data_dir)
        new = os.urandom(MASTER_BYTES).hex()
        _replace(path, "\n".join([new, *path.read_text().split(), ""]).encode())
        changed = reseal(settings, data_dir)
        _replace(path, f"{new}\n".encode())
    return changed


def reseal(settings: Protection, data_dir: Path) -> int:
    """Seal with the first master key what an older one sealed; how many keys changed."""
    with KeyFile.open(settings, data_dir).change() as vault:
        return vault.reseal(os.urandom)


def _replace(path: Path, data: bytes) -> None:
    temporary = path.with_suffix(f".{os.getpid()}")
    temporary.unlink(missing_ok=True)
    write_private(temporary, data)
    temporary.replace(path)


def write_private(path: Path, data: bytes) -> None:
    """A new file of mode 0600 whatever the umask, on the disk when this returns."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as out:
        os.fchmod(descriptor, 0o600)
        out.write(data)
        out.flush()
        os.fsync(out.fileno())


class KeyFile:
    """One sealed file, read again when it changes, with the master keys of that moment; writers
    take turns.
    """

    def __init__(
        self, path: Path, masters: Masters, again: Callable[[], Masters] | None = None
    ) -> None:
        self._path = path
        self._masters = masters
        self._again = again or (lambda: masters)
        self._seen: tuple[int, int, int] | None = None
        self._vault = Vault(b"", masters)

    @classmethod
    def open(cls, settings: Protection, data_dir: Path, *, create: bool = False) -> "KeyFile":
        path = Path(settings.key_file or data_dir / "origin" / "keys.json")
        found = masters(settings, data_dir, create=create)
        return cls(path, found, lambda: masters(settings, data_dir))

    def vault(self) -> Vault:
        """The file as it is now."""
        try:
            status = self._path.stat()
        except FileNotFoundError:
            return self._vault
        seen = (status.st_mtime_ns, status.st_size, status.st_ino)
        if seen != self._seen:
            self._vault = Vault(self._path.read_bytes(), self._again())
            self._seen = seen
        return self._vault

    def by_kid(self, kid: bytes) -> ContentKey | None:
        return self.vault().by_kid(kid)

    @contextlib.contextmanager
    def change(self) -> Iterator[Vault]:
        """A vault to change; it is written when the block ends well."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            data = self._path.read_bytes() if self._path.exists() else b""
            vault = Vault(data, self._again() if data else self._masters)
            yield vault
            _replace(self._path, vault.dump())
