"""An index for every way that recordings are listed: an account's by state; those of an account and
those of a state as they were asked for; those of a state that are due next.
"""

import sqlalchemy as sa
from alembic import op

revision = "v0043"
down_revision = "v0042"
branch_labels = None
depends_on = None

INDICES = (
    ["state", "id"],
    ["account_id", "state", "prog_start_ms", "id"],
    ["account_id", "id"],  # behind ["state", "id"]: of equals SQLite takes the youngest
)
DUE = "ix_recording_state_due"
WHERE = sa.text("due_ms is not null")


def upgrade() -> None:
    for columns in INDICES:
        op.create_index(_name(columns), "recording", columns)
    due = ["state", "due_ms"]
    op.create_index(DUE, "recording", due, sqlite_where=WHERE, postgresql_where=WHERE)


def downgrade() -> None:
    for name in (DUE, *map(_name, INDICES)):
        op.drop_index(name, table_name="recording")


def _name(columns: list[str]) -> str:
    return f"ix_recording_{'_'.join(columns)}"
