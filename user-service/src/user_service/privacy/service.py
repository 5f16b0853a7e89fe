"""The rules of an erasure: a person asks, all services do it and report, the record is signed."""

import hashlib
from typing import Any

from bson import ObjectId
from pymongo.errors import DuplicateKeyError
from redis.exceptions import RedisError

from intervai_shared.errors import NotFoundError
from intervai_shared.logs import log
from intervai_shared.models import Document, utc_now
from intervai_shared.mongo import Session, to_be_retried
from intervai_shared.resources import Resources
from intervai_shared.signing import RecordSigner
from user_service.events import ERASING_SERVICES, UserDeleted
from user_service.privacy.repository import ErasureRepository

#: What a signed record is one of: part of its `typ`, and of how its key is derived.
RECORD_KIND = "erasure"


class ErasureService:
    """Erasures of people from all services."""

    def __init__(self, resources: Resources, records: ErasureRepository, signer: RecordSigner) -> None:
        self._resources = resources
        self._records = records
        self._signer = signer

    async def request(self, user: ObjectId) -> Document:
        """Begins the person's erasure, signs them out everywhere, and gives `{jobId, status, receipt}`; a second time
        the same, so that whom the first answer did not reach can ask again."""
        receipt = self._signer.receipt(str(user))

        async def begin(session: Session) -> Document:
            if known := await self._records.of_user(user, session):
                return known
            record = _new_record(receipt)
            try:
                await self._records.insert(user, record, session)
            except DuplicateKeyError as error:
                raise to_be_retried(error) from error
            await self._resources.outbox.add_event(session, record["_id"], UserDeleted(user=user))
            return record

        record = await self._resources.outbox.transaction(begin)
        await self._sign_out(user)
        return {"jobId": record["_id"], "status": record["status"], "receipt": receipt}

    async def status(self, receipt: str) -> Document:
        """How far an erasure is. Raises NotFoundError when there is none with this receipt."""
        if found := await self._records.by_receipt(_hash(receipt)):
            waiting = [service for service in ERASING_SERVICES if service not in found["reports"]]
            return {**found, "waitingFor": waiting}
        raise NotFoundError("There is no such erasure.")

    async def take_report(self, event: Document, session: Session) -> None:
        """Handles `user.erased`: adds a service's report, once; the last one closes the record and signs it."""
        report = event["data"]
        record = await self._records.get(ObjectId(report["erasureId"]), session)
        if record is None or report["service"] in record["reports"]:
            log.warning("report of an erasure passed over", erasureId=report["erasureId"], source=report["service"])
            return
        reports = {**record["reports"], report["service"]: report["counts"]}
        fields: Document = {"reports": reports, "status": "running"}
        if all(service in reports for service in ERASING_SERVICES):
            closed = {"status": "succeeded", "finishedAt": utc_now()}
            fields |= {**closed, "record": self._sign({**record, **fields, **closed})}
        await self._records.update(record["_id"], fields, session)

    def keys(self) -> dict[str, Any]:
        """The public key of signed records, as a JWK Set."""
        return self._signer.jwks()

    def _sign(self, record: Document) -> str:
        return self._signer.sign(
            {
                "iss": self._resources.settings.token_issuer,
                "iat": int(record["finishedAt"].timestamp()),
                "erasureId": str(record["_id"]),
                "subject": f"sha256:{_hash(str(record['user']))}",
                "requestedAt": record["requestedAt"].isoformat(),
                "finishedAt": record["finishedAt"].isoformat(),
                "reports": record["reports"],
            }
        )

    async def _sign_out(self, user: ObjectId) -> None:
        """At once; auth-service does it again, and ends the sessions, when it hears of the erasure."""
        try:
            await self._resources.revocations.publish_user(user)
        except RedisError as error:
            log.warning("sign-out of an erased person follows later", error=repr(error))


def _new_record(receipt: str) -> Document:
    state: Document = {"status": "queued", "reports": {}, "record": None}
    return {
        "_id": ObjectId(),
        "receiptHash": _hash(receipt),
        **state,
        "requestedAt": utc_now(),
        "finishedAt": None,
    }


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
