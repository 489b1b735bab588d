"""Objects as files of a folder. A body is written beside its place, synced, and moved in whole."""

import asyncio
import contextlib
import errno
import fcntl
import os
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from runtime.objects.interface import (
    Object,
    ObjectError,
    ObjectInfo,
    check_name,
    check_prefix,
    check_range,
    clip,
)

TEMPORARY = ".tmp"  # at the top, so that a listing and a name can never meet it
LOCK = ".lock"
CHUNK_BYTES = 1 << 20
# copy_file_range(2): between these files, of these file systems, by this kernel it is not done.
REFUSED = frozenset((errno.EXDEV, errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS))


class FolderStore:
    """The embedded default; several processes of one machine may share the folder.

    Unlike S3, a name cannot be another name's folder (`a` beside `a/b`): that is `bad_name`.
    """

    def __init__(self, root: Path) -> None:
        self.name = "objects"
        self._root = root.absolute()

    async def start(self) -> None:
        """Make the folder; leftovers of a crash are not objects and go."""
        await asyncio.to_thread(self._prepare)

    def _prepare(self) -> None:
        temporary = self._root / TEMPORARY
        temporary.mkdir(parents=True, exist_ok=True)
        with self._locked():
            for left in temporary.iterdir():
                left.unlink(missing_ok=True)

    def ready(self) -> str | None:
        return None if (self._root / TEMPORARY).is_dir() else "folder is missing"

    async def drain(self) -> None:
        """Stays usable."""

    async def stop(self) -> None:
        """Nothing is held open."""

    async def put(
        self,
        name: str,
        body: bytes,
        *,
        content_type: str = "application/octet-stream",
        if_absent: bool = False,
        if_match: str | None = None,
    ) -> str:
        del content_type  # a file has none; the name says it

        def fill(file: BinaryIO) -> None:
            file.write(body)

        path = self._path(name)
        return (await asyncio.to_thread(self._put, name, path, fill, if_absent, if_match)).etag

    async def get(
        self, name: str, *, start: int = 0, end: int | None = None, if_match: str | None = None
    ) -> Object:
        check_range(start, end)
        found = await asyncio.to_thread(self._get, name, self._path(name), start, end)
        if if_match not in (None, found.info.etag):
            raise ObjectError("changed", name)
        return found

    async def copy(
        self, source: str, name: str, *, start: int = 0, end: int | None = None
    ) -> ObjectInfo:
        check_range(start, end)
        work = (self._path(source), name, self._path(name), start, end)
        return await asyncio.to_thread(self._copy, source, *work)

    async def head(self, name: str) -> ObjectInfo:
        return await asyncio.to_thread(self._head, name, self._path(name))

    async def find(
        self, prefix: str = "", *, after: str = "", limit: int = 1000
    ) -> list[ObjectInfo]:
        check_prefix(prefix)
        return await asyncio.to_thread(self._list, prefix, after, limit)

    async def delete(self, name: str) -> None:
        await asyncio.to_thread(self._delete, self._path(name))

    def _path(self, name: str) -> Path:
        check_name(name)
        if name.partition("/")[0] in (TEMPORARY, LOCK):
            raise ObjectError("bad_name", "reserved")
        return self._root / name

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """One conditional change at a time, over threads and processes."""
        with (self._root / LOCK).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _put(
        self,
        name: str,
        path: Path,
        fill: Callable[[BinaryIO], None],
        if_absent: bool = False,
        if_match: str | None = None,
    ) -> ObjectInfo:
        temporary = self._root / TEMPORARY / secrets.token_hex(12)
        try:
            with temporary.open("xb") as file:
                fill(file)
                file.flush()
                os.fsync(file.fileno())
                info = _info(name, os.fstat(file.fileno()))
            with self._locked():
                path.parent.mkdir(parents=True, exist_ok=True)
                if if_absent and path.exists():
                    raise ObjectError("exists", name)
                if if_match is not None and self._head(name, path).etag != if_match:
                    raise ObjectError("changed", name)
                temporary.replace(path)
                _sync(path.parent)
                return info
        except (FileExistsError, NotADirectoryError, IsADirectoryError):
            raise ObjectError("bad_name", f"{name} meets a folder or a file of that name") from None
        except OSError as error:
            raise ObjectError("unavailable", error.strerror or "write failed") from None
        finally:
            temporary.unlink(missing_ok=True)

    def _get(self, name: str, path: Path, start: int, end: int | None) -> Object:
        try:
            with path.open("rb") as file:
                info = _info(name, os.fstat(file.fileno()))
                check_range(start, end, info.size)
                file.seek(start)
                return Object(info, file.read(-1 if end is None else end - start))
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            raise ObjectError("not_found", name) from None

    def _copy(
        self, source: str, of: Path, name: str, path: Path, start: int, end: int | None
    ) -> ObjectInfo:
        try:
            with of.open("rb") as body:
                at, until = clip(start, end, os.fstat(body.fileno()).st_size)

                def fill(file: BinaryIO) -> None:
                    _pour(body.fileno(), file.fileno(), at, until)

                return self._put(name, path, fill)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            raise ObjectError("not_found", source) from None

    def _head(self, name: str, path: Path) -> ObjectInfo:
        if not path.is_file():
            raise ObjectError("not_found", name)
        return _info(name, path.stat())

    def _list(self, prefix: str, after: str, limit: int) -> list[ObjectInfo]:
        names = sorted(self._names(self._root / prefix.rpartition("/")[0], prefix, after))
        found: list[ObjectInfo] = []
        for name in names:
            if len(found) == limit:
                break
            with contextlib.suppress(ObjectError):  # deleted meanwhile
                found.append(self._head(name, self._root / name))
        return found

    def _names(self, folder: Path, prefix: str, after: str) -> Iterator[str]:
        for base, folders, files in os.walk(folder):
            inside = Path(base).relative_to(self._root)
            if not inside.parts:
                folders[:] = [each for each in folders if each != TEMPORARY]
                files = [each for each in files if each != LOCK]
            for file in files:
                name = (inside / file).as_posix()
                if name.startswith(prefix) and name > after:
                    yield name

    def _delete(self, path: Path) -> None:
        with self._locked():
            with contextlib.suppress(FileNotFoundError, NotADirectoryError, IsADirectoryError):
                path.unlink()
            parent = path.parent
            while parent != self._root:  # empty folders are not objects
                try:
                    parent.rmdir()
                except OSError:
                    break
                parent = parent.parent


def _info(name: str, stat: os.stat_result) -> ObjectInfo:
    """Every replacement is a new inode, so inode, time and size name the bytes."""
    etag = f"{stat.st_ino:x}-{stat.st_mtime_ns:x}-{stat.st_size:x}"
    return ObjectInfo(name, stat.st_size, etag, stat.st_mtime_ns // 1_000_000)


def _pour(body: int, file: int, start: int, end: int) -> None:
    """Bytes of a file into an empty one: by the kernel, which shares blocks on file systems that
    can, or by hand where it refuses.
    """
    here = start
    while here < end:
        try:
            taken = os.copy_file_range(body, file, end - here, here, here - start)
        except OSError as error:
            if error.errno not in REFUSED:
                raise
            chunk = os.pread(body, min(end - here, CHUNK_BYTES), here)
            taken = os.pwrite(file, chunk, here - start)
        if not taken:
            raise OSError("the body ends early")
        here += taken


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
