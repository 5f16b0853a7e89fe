"""Does jobs in processes that kill themselves. A line `<job id> <n>` on standard input: a process that dies with
SIGKILL before the n-th command that makes something last in Mongo, or ends well. Each is answered by a line with its
exit status."""

import asyncio
import os
import signal
import sys
from typing import Any

from bson import ObjectId
from pymongo import monitoring

from intervai_shared.settings import load_settings
from qa_service.settings import QaSettings
from qa_service.worker import open_worker

WRITES = ("insert", "update", "delete")


class Death(monitoring.CommandListener):
    """Comes before the n-th command that makes something last: a commit, or a write outside of a transaction. Between
    two of them all that a killed process leaves is the same."""

    def __init__(self) -> None:
        self.left = 10**9

    def started(self, event: Any) -> None:
        is_alone = event.command_name in WRITES and "autocommit" not in event.command
        if is_alone or event.command_name == "commitTransaction":
            self.left -= 1
            if self.left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    def succeeded(self, event: Any) -> None: ...

    def failed(self, event: Any) -> None: ...


async def work(job: str, number: int) -> None:
    death = Death()
    monitoring.register(death)
    async with open_worker(load_settings(QaSettings)) as worker:
        death.left = number
        await worker.work.run(ObjectId(job))
        death.left = 10**9


for line in sys.stdin:
    job, number = line.split()
    if (child := os.fork()) == 0:
        asyncio.run(work(job, int(number)))
        os._exit(0)
    _, status = os.waitpid(child, 0)
    print(status, file=sys.__stdout__, flush=True)
