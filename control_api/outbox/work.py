"""What the outbox does on its own, as parts of the control API's process."""

import secrets
from collections.abc import Sequence

from control_api.calls import Services
from control_api.outbox.relay import Relay
from control_api.webhooks import deliveries
from runtime.service import Background, Part
from runtime.store import MemoryStore


def work(services: Services) -> Sequence[Part]:
    """The relay."""
    relay = Relay(
        services.database,
        services.store,
        owner=secrets.token_hex(8),
        spread=[deliveries.spread],
        forgetful=isinstance(services.store, MemoryStore),
    )
    return [Background("event-relay", relay.run)]
