"""The Alembic chain of the control database, one for SQLite and PostgreSQL (CTL-20)."""

from pathlib import Path

LOCATION = Path(__file__).parent
