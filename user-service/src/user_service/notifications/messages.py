"""What a notification says of an event."""

from dataclasses import dataclass, field

from intervai_shared.models import Document
from user_service.notifications.schemas import Kind

#: Characters of a browser's name that are shown.
AGENT_LENGTH = 120


@dataclass(frozen=True)
class Message:
    """`data` is what a client needs to lead the person there."""

    kind: Kind
    title: str
    text: str | None = None
    data: Document = field(default_factory=dict)


def questions_generated(event: Document) -> Message:
    """Of `questions.generated`."""
    data = event["data"]
    one = data["count"] == 1
    title = "1 new question is ready" if one else f"{data['count']} new questions are ready"
    place = {"sessionId": event["aggregateId"], "jobId": data["jobId"]}
    return Message("questionsGenerated", title, "In your interview session.", {**place, "count": data["count"]})


def export_ready(event: Document) -> Message:
    """Of `export.completed`."""
    form, size = event["data"]["format"], event["data"]["sizeBytes"]
    data = {"exportId": event["aggregateId"], "format": form, "sizeBytes": size}
    return Message("exportReady", f"Your {form.upper()} file is ready", f"{_size(size)} to download.", data)


def new_login(event: Document) -> Message:
    """Of `user.new-device`."""
    data = {name: event["data"][name] for name in ("address", "userAgent", "at")}
    agent = data["userAgent"][:AGENT_LENGTH] or "an unknown program"
    text = f"From {data['address']}, with {agent}. If that was not you, change your password and log out everywhere."
    return Message("newLogin", "A new device has signed in to your account", text, data)


def _size(count: int) -> str:
    """Like `12 KB`; a KB has 1,000 bytes."""
    for unit, power in (("MB", 1_000_000), ("KB", 1000)):
        if count >= power:
            return f"{count / power:.1f} {unit}".replace(".0 ", " ")
    return f"{count} bytes"
