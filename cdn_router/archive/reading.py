"""An archive read: the files that hold each row once, wherever they lie.

`root` is a folder, or a URI that pyarrow knows: `s3://bucket?endpoint_override=host:port`, with
credentials from where the AWS tools have theirs.
"""

import posixpath
from collections import defaultdict

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.dataset as ds  # type: ignore[import-untyped]
from pyarrow import fs

from .compact import LIVE, MERGED, Live, live

HOURLY = pa.schema([("date", pa.string()), ("hour", pa.int32())])


def dataset(root: str, shelf: str = "qoe") -> ds.Dataset:
    """The rows of a shelf with `date` and `hour` beside their own columns, as they are now; what
    is stored or compacted later is not in it, and is readable for a quarter of an hour at least.

    FileNotFoundError when there are none.
    """
    if "://" in root:
        system, path = fs.FileSystem.from_uri(root)
    else:
        system, path = fs.LocalFileSystem(), posixpath.abspath(root)
    base = f"{path.rstrip('/')}/{shelf}"
    files = _files(system, base)
    if not files:
        raise FileNotFoundError(f"no Parquet below {root}/{shelf}")
    return ds.dataset(
        files,
        filesystem=system,
        format="parquet",
        partitioning=ds.partitioning(HOURLY, flavor="hive"),
        partition_base_dir=base,
    )


def _files(system: fs.FileSystem, base: str) -> list[str]:
    selector = fs.FileSelector(base, allow_not_found=True, recursive=True)
    hours: dict[str, set[str]] = defaultdict(set)
    for info in system.get_file_info(selector):
        if info.type == fs.FileType.File:
            hours[posixpath.dirname(info.path)].add(info.base_name)
    files = []
    for hour, names in sorted(hours.items()):
        said = _live(system, f"{hour}/{LIVE}")
        own = {n for n in names if n.endswith(".parquet") and not n.startswith(MERGED)}
        files += [f"{hour}/{name}" for name in sorted(own.difference(said.replaced))]
        files += [f"{hour}/{name}" for name in said.merged]
    return files


def _live(system: fs.FileSystem, path: str) -> Live:
    """What the hour says now, which is later than the listing: the files it named are there."""
    try:
        with system.open_input_stream(path) as file:
            return live(file.read())
    except FileNotFoundError:
        return Live()
