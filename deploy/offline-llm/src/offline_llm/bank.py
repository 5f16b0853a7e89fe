"""The bank: one YAML file a topic."""

from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import yaml

GENERIC = "generic"


@dataclass(frozen=True)
class Topic:
    """A topic with its questions as the API's field names have them (without `category`)."""

    name: str
    names: frozenset[str]
    roles: tuple[str, ...]
    questions: tuple[dict[str, Any], ...]


@dataclass(frozen=True)
class Bank:
    """All topics, and the templates for those that it does not know."""

    topics: tuple[Topic, ...]
    templates: tuple[dict[str, Any], ...]

    def find(self, wanted: str) -> Topic | None:
        """The topic of that name or alias, whatever the case and punctuation."""
        key = normalised(wanted)
        return next((topic for topic in self.topics if key in topic.names), None)


def normalised(text: str) -> str:
    """Letters and digits in lower case, single spaces; `+` and `#` stay, or C, C++ and C# would be one."""
    kept = "".join(char if char.isalnum() or char in "+#" else " " for char in text.casefold())
    return " ".join(kept.split())


@cache
def load() -> Bank:
    """Reads the bank once."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    files = [file for file in resources.files(__package__).joinpath("bank").iterdir() if file.name.endswith(".yaml")]
    documents = [yaml.load(file.read_text("utf-8"), loader) for file in sorted(files, key=lambda file: file.name)]  # noqa: S506
    topics = [_topic(document) for document in documents if document["topic"] != GENERIC]
    templates = [
        question for document in documents if document["topic"] == GENERIC for question in document["questions"]
    ]
    return Bank(tuple(topics), tuple(templates))


def _topic(document: dict[str, Any]) -> Topic:
    names = frozenset(normalised(str(name)) for name in [document["topic"], *document["aliases"]])
    return Topic(document["topic"], names, tuple(document["roles"]), tuple(document["questions"]))
