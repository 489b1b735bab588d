"""How much waits for the relay, and how much is dead: counted up to `COUNTED`, so that a long line
costs no more than that to tell of.
"""

from typing import Final

from sqlalchemy import func, select

from control_api.outbox.tables import dlq_message, outbox

COUNTED: Final = 100_000  # a longer line reads as this

_OLDEST = (
    select(outbox.c.created_ms)
    .where(outbox.c.published_ms.is_(None))
    .order_by(outbox.c.seq)
    .limit(COUNTED)
    .subquery()
)
_DEAD = select(dlq_message.c.id).limit(COUNTED).subquery()
# Events that no stream has yet, and since when the oldest of them waits.
WAITING = select(func.count().label("waiting"), func.min(_OLDEST.c.created_ms).label("since_ms"))
DEAD = select(func.count()).select_from(_DEAD)
