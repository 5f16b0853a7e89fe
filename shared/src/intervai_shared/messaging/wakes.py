"""Wake-ups over Redis' pub/sub: who waits for something there is told that it came.

A wake-up may be lost (nobody listens just then, the connection breaks), so whoever waits also looks by itself now and
then: a wake-up makes it quick, looking makes it certain.
"""

import threading
from collections import defaultdict

import redis.exceptions
from redis.asyncio import Redis

from intervai_shared.logs import log

#: Seconds after which the listener sees to its connection, if nothing came.
LISTEN_SECONDS = 5.0


def outbox_channel(service: str) -> str:
    """The channel that tells the relay of a service that its outbox has something."""
    return f"{service}:outbox"


def queues_channel(service: str) -> str:
    """The channel that tells the workers of a service which of their queues has something: its name is the message."""
    return f"{service}:queues"


async def wake(redis_client: Redis, channel: str, queue: str = "") -> None:
    """Wakes who listens. One that fails is only logged: it costs them the time until they look by themselves."""
    try:
        await redis_client.publish(channel, queue.encode())
    except redis.exceptions.RedisError as error:
        log.warning("wake-up not sent, the message will be found without", channel=channel, error=repr(error))


class QueueWakes:
    """What the consumer threads of one worker wait at: an event a queue. It is set by any thread, and cleared by the
    one consumer of the queue."""

    def __init__(self) -> None:
        self._events: defaultdict[str, threading.Event] = defaultdict(threading.Event)

    def of(self, queue: str) -> threading.Event:
        """The event of a queue, made when first asked for."""
        return self._events[queue]

    async def listen(self, redis_client: Redis, service: str) -> None:
        """Sets the events as the wake-ups come, until cancelled. Raises redis.RedisError; call it again then."""
        async with redis_client.pubsub() as channel:
            await channel.subscribe(queues_channel(service))
            for event in list(self._events.values()):  # for what came while nobody listened
                event.set()
            while True:
                told = await channel.get_message(ignore_subscribe_messages=True, timeout=LISTEN_SECONDS)
                if told:
                    self.of(told["data"].decode()).set()
