"""What routes of server-sent events have in common (https://html.spec.whatwg.org/multipage/server-sent-events.html).

FastAPI sends a ping after 15 s of silence by itself.
"""

import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Annotated, Any

from fastapi import Depends, Header, Request

from intervai_shared.auth.dependencies import CurrentUser

#: A position in a Redis stream; Redis refuses numbers of more than 64 bits.
LastEventId = Annotated[str | None, Header(pattern=r"^\d{1,19}-\d{1,19}$", description="Where a broken stream ended.")]
Updates = AsyncGenerator[Any, None]


async def _while_welcome(request: Request, user: CurrentUser) -> Callable[[Updates], Updates]:
    resources = request.app.state.container.resources

    async def watched(updates: Updates) -> Updates:
        async with aclosing(updates):
            async for update in updates:
                if user.expires_at <= time.time() or resources.revocations.covers(user) or resources.health.closing:
                    return
                yield update

    return watched


#: Wraps what a stream sends. It ends the stream when the caller's token has expired or been revoked, for one that began
#: earlier must not outlive it; and when this process has drained, so that the client comes back to another one: not
#: sooner, or the gateway would bring it here again. It looks before each update, so the updates must come now and then;
#: None may stand for a silence. An update that meets the end is not sent; with Last-Event-ID the next process sends it.
WhileWelcome = Annotated[Callable[[Updates], Updates], Depends(_while_welcome)]
