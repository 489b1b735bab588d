"""Files of imports that wait: for their turn, or for somebody's word (CTL-62, CTL-68); and how far
it is told what begins and ends (CTL-171).
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    LargeBinary,
    String,
    Table,
    text,
)

from control_api.schema import metadata

# `packed` is gzip; `taken_ms` says when a process last worked on it, `tries` how many began to.
epg_import_file = Table(
    "epg_import_file",
    metadata,
    Column("run_id", String(64), ForeignKey("epg_import_run.id"), primary_key=True),
    Column("packed", LargeBinary, nullable=False),
    Column("forced", Boolean, nullable=False),
    Column("taken_ms", BigInteger),
    Column("tries", BigInteger, nullable=False, server_default="0"),
)

# One row: all that ended (verb 0) or started (1) is told before this moment, and of this moment up
# to the verb and the event.
epg_told = Table(
    "epg_told",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("verb", BigInteger, nullable=False, server_default=text("0")),
    Column("event_id", String(64), nullable=False, server_default=text("''")),
)
