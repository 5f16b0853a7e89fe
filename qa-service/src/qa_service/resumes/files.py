"""Where the files of résumés lie in S3. The other services' sweeps look under prefixes of their own."""

from intervai_shared.models import Document

PREFIX = "resumes/"


def key_of(resume: Document) -> str:
    """The file's key; names nobody."""
    return f"{PREFIX}{resume['name']}"


def keys_of(resume: Document) -> list[str]:
    """The keys under which there may be a file, for the erasure: none when the sweep has been there."""
    return [key_of(resume)] if "sweepAt" in resume else []
