"""Counters of wrong tries in Redis, each with the lock that it has caused. One key a script, so that it is atomic on a
Cluster too."""

from dataclasses import dataclass

from redis.asyncio import Redis

# KEYS: counter. ARGV: now (ms), then the rule: failures up to the first that locks, first lock, longest lock, life of
# the counter after a failure (all ms); whether it locks here (1 or 0).
# Answers {ms until the lock ends, 0, 0}, and counts nothing; or {0, the time (ms) until which this try has locked or
# 0, and the failures with this one}.
_COUNT = """
local now, locks = tonumber(ARGV[1]), ARGV[6] == '1'
local ends = tonumber(redis.call('HGET', KEYS[1], 'lockedUntil') or 0)
if locks and ends > now then return {ends - now, 0, 0} end
local failures = redis.call('HINCRBY', KEYS[1], 'failures', 1)
redis.call('PEXPIRE', KEYS[1], ARGV[5])
local over = failures - tonumber(ARGV[2])
if not locks or over < 0 then return {0, 0, failures} end
ends = now + math.min(tonumber(ARGV[3]) * 2 ^ over, tonumber(ARGV[4]))
redis.call('HSET', KEYS[1], 'lockedUntil', string.format('%d', ends))
return {0, ends, failures}
"""

# KEYS: counter. ARGV: how many failures were none, the lock that they have caused (ms). Another's lock stays.
_TAKE_BACK = """
if redis.call('HINCRBY', KEYS[1], 'failures', -tonumber(ARGV[1])) <= 0 then return redis.call('DEL', KEYS[1]) end
if redis.call('HGET', KEYS[1], 'lockedUntil') == ARGV[2] then redis.call('HDEL', KEYS[1], 'lockedUntil') end
return 0
"""


@dataclass(frozen=True)
class Rule:
    """When a counter locks, in failures and milliseconds: at the failure `free` for `first_ms`, then each time for
    twice as long."""

    free: int
    first_ms: int
    longest_ms: int
    life_ms: int


class GuardStore:
    """Counters by name. Every method raises redis.RedisError."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._count = redis.register_script(_COUNT)
        self._take_back = redis.register_script(_TAKE_BACK)

    async def count(self, name: str, now_ms: int, rule: Rule, *, locks: bool) -> tuple[int, int, int]:
        """Counts a failure: `(0, until, failures)`, `until` being the time (ms) until which it has locked, or 0. If the
        counter is locked, counts nothing: `(ms until the lock ends, 0, 0)`. With `locks` false there is no lock, old or
        new."""
        args = [now_ms, rule.free, rule.first_ms, rule.longest_ms, rule.life_ms, int(locks)]
        wait, until, failures = await self._count(keys=[name], args=args)
        return int(wait), int(until), int(failures)

    async def take_back(self, name: str, failures: int, until: int) -> None:
        """Uncounts failures, with the lock that they have caused."""
        await self._take_back(keys=[name], args=[failures, until])

    async def forget(self, *names: str) -> None:
        """Removes counters with their locks."""
        for name in names:  # one by one: on a Cluster each lies on another node
            await self._redis.delete(name)
