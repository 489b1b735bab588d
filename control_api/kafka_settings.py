"""Section `control.kafka`: events for a data platform."""

from pydantic import Field

from runtime.kafka import Acks
from runtime.settings import Section


class Kafka(Section):
    """Section `control.kafka`; without servers there is no sink."""

    servers: list[str] = Field(default=[], description="host:port, of any brokers of the cluster")
    topic_prefix: str = Field(default="headwater.", pattern=r"^[A-Za-z0-9._-]{0,64}$")
    acks: Acks = Field(default="all", description="leader, or all replicas in sync")
    tls: bool = False
