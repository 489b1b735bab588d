"""The driver's own clients, for commands whose replies have several shapes and for those that wait:
of one server, or of all servers of a cluster.

Nothing is tried again (CMP-17), save what a cluster answered by naming another server: that did not
happen.
"""

from typing import Any

from redis import asyncio as driver
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisClusterException, RedisError

from runtime import tracing
from runtime.store import sentinels

FAULTS = (RedisError, RedisClusterException, OSError)  # of the second the first is no parent
TOLD = {"db.system.name": "redis"}


def one(
    url: str, connections: int, *, connect_s: float, within_s: float | None, protocol: int
) -> Any:
    """A client of a pool, whose callers wait for a connection at most as long as for its opening.
    `within_s` None is for reads that wait.
    """
    pool = sentinels.pool(
        driver.BlockingConnectionPool,
        url,
        max_connections=connections,
        timeout=connect_s,
        protocol=protocol,
        socket_timeout=within_s,
        socket_connect_timeout=connect_s,
        retry=Retry(NoBackoff(), 0),
    )
    return _told(driver.Redis.from_pool(pool))


def many(
    url: str, connections: int, *, connect_s: float, within_s: float | None, protocol: int
) -> Any:
    """The same of a cluster that the server at the URL is of; so many connections to each."""
    return _told(
        driver.RedisCluster.from_url(
            url,
            max_connections=connections,
            protocol=protocol,
            socket_timeout=within_s,
            socket_connect_timeout=connect_s,
            retry=Retry(NoBackoff(), 0),
        )
    )


def _told(client: Any) -> Any:
    """With a span for each command; what is asked about stays out of it."""
    if not tracing.on():
        return client
    execute = client.execute_command

    async def told(*arguments: Any, **options: Any) -> Any:
        with tracing.span(str(arguments[0]), "client", TOLD):
            return await execute(*arguments, **options)

    client.execute_command = told
    return client


async def anew(client: Any) -> None:
    """Another server may serve by now."""
    if isinstance(client, driver.RedisCluster):
        await client.nodes_manager.initialize()
    else:
        await client.connection_pool.disconnect(inuse_connections=False)
