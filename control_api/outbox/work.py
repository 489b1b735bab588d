"""What the outbox does on its own, as parts of the control API's process."""

import secrets
from collections.abc import Sequence

from control_api import events
from control_api.calls import Services
from control_api.loops import Loop
from control_api.outbox.alone import Alone
from control_api.outbox.consumer import Consumer
from control_api.outbox.kafka import GROUP, KafkaSink
from control_api.outbox.relay import Relay
from control_api.webhooks import deliveries
from runtime.kafka import KafkaProducer
from runtime.service import Part


def work(services: Services) -> Sequence[Part]:
    """The relay, and the sink if there is one."""
    owner = secrets.token_hex(8)
    relay = Relay(
        services.database,
        services.store,
        owner=owner,
        spread=[deliveries.spread],
    )
    parts: list[Part] = [Loop("event-relay", relay.run)]
    kafka = services.settings.kafka
    if kafka.servers:
        producer = KafkaProducer(kafka.servers, acks=kafka.acks, tls=kafka.tls)
        sink = Consumer(
            services.database,
            services.store,
            GROUP,
            events.DOMAINS,
            KafkaSink(producer, kafka.topic_prefix),
            name=owner,
            alone=True,
        )
        alone = Alone(services.store, f"evt:{GROUP}", owner, sink.run)
        parts += [producer, Loop("event-kafka", alone.run)]
    return parts
