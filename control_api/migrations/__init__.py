"""The Alembic chain of the control database, one for SQLite and PostgreSQL (CTL-20)."""

from pathlib import Path

LOCATION = Path(__file__).parent


def before(file: str) -> str:
    """The revision that goes ahead of a file's: the numbers in the files' names are the chain."""
    mine = Path(file).stem
    names = sorted(path.stem for path in (LOCATION / "versions").glob("v[0-9]*.py"))
    return names[names.index(mine) - 1].partition("_")[0]
