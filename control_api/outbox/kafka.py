"""Events into Kafka: topic by domain, key by subject, so that a partition keeps a subject's order.

Source: CloudEvents 1.0.2, Kafka protocol binding, section 3.3 (structured content mode).
"""

from typing import Final

from control_api import events
from control_api.outbox.consumer import Later
from runtime.kafka import KafkaError, KafkaProducer

GROUP: Final = "kafka"
CONTENT_TYPE: Final = ("content-type", b"application/cloudevents+json; charset=UTF-8")


class KafkaSink:
    """Handles events as a consumer does; while no broker answers they wait, in order."""

    def __init__(self, producer: KafkaProducer, topic_prefix: str) -> None:
        self._producer = producer
        self._prefix = topic_prefix

    async def __call__(self, event: events.Event) -> None:
        topic, key = self._prefix + event.domain, event.subject.encode()
        try:
            await self._producer.send(topic, key, events.encode(event), [CONTENT_TYPE])
        except KafkaError as error:
            if error.code == "unavailable":
                raise Later(str(error)) from None
            raise
