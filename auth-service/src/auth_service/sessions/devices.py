"""The devices that a person logs in from: a new one is told to them, since it may be a thief's."""

import hashlib
from datetime import timedelta

from auth_service.accounts.repository import AccountRepository
from auth_service.caller import Caller
from auth_service.events import UserNewDevice
from auth_service.letters.service import Letters
from intervai_shared.messaging.outbox import Outbox
from intervai_shared.models import Document, utc_now
from intervai_shared.mongo import Session

#: Devices that are remembered; of more, the one that was not seen for longest is forgotten.
MOST_DEVICES = 20
#: A device that was seen within this is not written down again, which spares a log-in the write.
REMEMBER_AGAIN = timedelta(days=1)


class KnownDevices:
    """A device is a client in a network: `devices` of an account is a list of `{key, network, seenAt}`."""

    def __init__(self, accounts: AccountRepository, outbox: Outbox, letters: Letters) -> None:
        self._accounts = accounts
        self._outbox = outbox
        self._letters = letters

    async def seen(self, account: Document, caller: Caller) -> None:
        """Remembers where a log-in came from. If it is new, emits `user.new-device`, and writes to who wants such
        letters."""
        known = {device["key"]: device for device in account.get("devices", [])}
        device = new_device(caller)
        before = known.get(device["key"])
        if before and before["seenAt"] > utc_now() - REMEMBER_AGAIN:
            return
        others = sorted((known[key] for key in known if key != device["key"]), key=lambda other: other["seenAt"])
        devices = [*others[1 - MOST_DEVICES :], device]

        async def effect(session: Session) -> None:
            await self._accounts.set_devices(account["_id"], devices, session)
            if not before:
                happened = UserNewDevice(address=caller.address, user_agent=caller.user_agent, at=device["seenAt"])
                await self._outbox.add_event(session, account["_id"], happened)
                if account.get("mail", {}).get("newDevice", True):
                    await self._write(account, device, caller, session)

        await self._outbox.transaction(effect)

    async def _write(self, account: Document, device: Document, caller: Caller, session: Session) -> None:
        facts = {"at": device["seenAt"], "address": caller.address, "userAgent": caller.user_agent}
        await self._letters.post(session, "new-device", account["_id"], account["email"], **facts)


def new_device(caller: Caller) -> Document:
    """What is kept of a device. The key is a hash, so that the list shows no more than it must."""
    key = hashlib.sha256(f"{caller.user_agent} {caller.network}".encode()).hexdigest()[:32]
    return {"key": key, "network": caller.network, "seenAt": utc_now()}


def is_known_network(account: Document, caller: Caller) -> bool:
    """Whether the account's owner has logged in from there before."""
    return any(device["network"] == caller.network for device in account.get("devices", []))
