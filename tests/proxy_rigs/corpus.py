"""The shared corpus of manifests, and a way of leading references that shares no code with ours."""

import csv
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from urllib.parse import urljoin

import pytest

CORPUS = Path(__file__).resolve().parents[3] / "shared/corpus"
needed = pytest.mark.skipif(not CORPUS.exists(), reason="the shared corpus is not here")
BASE = "http://o:1/live/x/manifest"
HERE = "http://o:1/"
THERE = "http://a/cat:TOK/"
SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")


@cache
def files(folder: str) -> tuple[tuple[str, bytes], ...]:
    """Names and bytes of `hls` or `dash`, each content once."""
    with (CORPUS / "index.tsv").open(newline="") as index:
        table = csv.DictReader(index, delimiter="\t", quoting=csv.QUOTE_NONE)
        names = [row["file"] for row in table if row["file"].startswith(folder + "/")]
    once = {(CORPUS / name).read_bytes(): name for name in names}
    return tuple((name, data) for data, name in once.items())


def moved(url: str) -> str:
    """An absolute URL as players are to see it: below the pathway where it is the origin's."""
    return THERE + url.removeprefix(HERE) if url.startswith(HERE) else url


def led(reference: str, base: str = BASE) -> str:
    """A reference as players are to see it; foreign and opaque ones as they were."""
    if not reference or (SCHEME.match(reference) and not reference.startswith(HERE)):
        return reference
    held = reference.replace("//", "/%00/") if not reference.startswith(("/", "h")) else reference
    there = urljoin(base, held).replace("/%00/", "//")  # urljoin drops empty segments
    return moved(there) if there.startswith(HERE) else reference


def walked(model: object, name: str = "") -> Iterator[tuple[str, object]]:
    """Every leaf of a model with the name it stands under."""
    if isinstance(model, dict):
        for key, value in model.items():
            yield from walked(value, key)
    elif isinstance(model, list):
        for value in model:
            yield from walked(value, name)
    else:
        yield name, model
