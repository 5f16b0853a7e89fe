"""The declaration of what a service holds of people. Erasure and data export do what stands in it, and nothing else."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from bson import ObjectId

from intervai_shared.models import Document
from intervai_shared.mongo import Collection, Database
from intervai_shared.privacy.tombstones import ERASURES


def _no_files(_: Document) -> Sequence[str]:
    return ()


@dataclass(frozen=True)
class Holding:
    """Documents about a person, in one collection.

    `owner`: the fields of which each may name the person; each needs an index that begins with it. `as_text`: they
    hold the person's id as 24 hex digits, not as an ObjectId. `shown`: the fields that the person gets to see; none at
    all means that the documents are our own copies of what stands elsewhere. `jobs`: they are job records. `files`: the
    keys of a document's files in S3; `uploads`: those among them that somebody may still write to, by a form signed
    before. `is_projection`: there is a collection for each of its generations.
    """

    collection: str
    owner: Sequence[str] = ("user",)
    as_text: bool = False
    shown: Sequence[str] = ()
    jobs: bool = False
    files: Callable[[Document], Sequence[str]] = _no_files
    uploads: Callable[[Document], Sequence[str]] = _no_files
    is_projection: bool = False

    @property
    def has_files(self) -> bool:
        return self.files is not _no_files

    def filters(self, user: ObjectId) -> list[Document]:
        """What finds the person's documents: one filter a field, since each has an index of its own."""
        return [{name: str(user) if self.as_text else user} for name in self.owner]

    async def collections(self, db: Database) -> list[Collection]:
        """The collection, or those of all generations of a projection."""
        if not self.is_projection:
            return [db[self.collection]]
        names = await db.list_collection_names()
        ours = [name for name in names if name == self.collection or name.startswith(f"{self.collection}.")]
        return [db[name] for name in sorted(ours)]


@dataclass(frozen=True)
class Holdings:
    """All collections of a service. `impersonal`: those that hold nothing of anybody, each with the reason."""

    documents: Sequence[Holding] = ()
    impersonal: Mapping[str, str] = field(default_factory=dict)

    def undeclared(self, collections: Sequence[str]) -> list[str]:
        """Those of these collections of which nobody has said whether they hold something of people."""
        known = {*CHASSIS, *IMPERSONAL, *self.impersonal}
        known |= {holding.collection for holding in self.documents}
        projections = tuple(f"{holding.collection}." for holding in self.documents if holding.is_projection)
        return sorted(name for name in collections if name not in known and not name.startswith(projections or "\0"))


IDEMPOTENCY_KEYS = Holding("idempotency_keys")
#: Collections of the chassis that are erased in ways of their own, see `chassis`; and one that is not.
CHASSIS = ("events", "outbox", "dead_letters", IDEMPOTENCY_KEYS.collection)
IMPERSONAL = {
    ERASURES: "whom we have erased, by the bare id, so that nothing of them comes back",
    "half_restored": "a mark of a restore",
    "inbox": "ids and types of events",
    "projections": "which generation of a projection is read",
    "scheduled_runs": "the last run of each schedule",
}
