"""What webhooks do on their own, as parts of the control API's process."""

import secrets
from collections.abc import Sequence

from control_api.calls import Services
from control_api.loops import Loop
from control_api.webhooks.dispatcher import Dispatcher
from control_api.webhooks.sender import Sender, fetcher
from control_api.webhooks.vault import Vault
from runtime.clock import SYSTEM
from runtime.service import Part


def work(services: Services) -> Sequence[Part]:
    """The sending side."""
    settings = services.settings.webhooks
    client = fetcher(settings)
    sender = Sender(client, Vault(services.secret), SYSTEM)
    dispatcher = Dispatcher(
        services.database,
        services.store,
        sender,
        settings,
        owner=secrets.token_hex(8),
        sends=lambda: services.flags.on("webhooks"),
    )
    return [client, Loop("webhooks", dispatcher.run)]
