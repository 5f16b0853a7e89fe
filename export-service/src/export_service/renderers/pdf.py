"""PDF by typst (https://typst.app/docs). The content goes in as data through `sys.inputs`: none of it is typst code."""

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from export_service.renderers.content import Content, Item

_TEMPLATE = Path(__file__).with_name("interview.typ").read_bytes()


def render_pdf(content: Content) -> bytes:
    """A4 pages. The same content gives the same bytes: the document's date is the session's.

    Raises:
        typst.TypstError: the template does not compile.
    """
    import typst  # noqa: PLC0415  only the process that renders loads it

    data = {**asdict(content), "groups": [_group(*group) for group in content.by_category().items()]}
    del data["items"]
    created = datetime.fromisoformat(content.created_at).astimezone(UTC)
    data["date"] = f"{created:%-d %B %Y}"
    inputs = {"data": orjson.dumps(data).decode()}
    return bytes(typst.compile(_TEMPLATE, sys_inputs=inputs, timestamp=int(created.timestamp())))


def _group(category: str, items: list[Item]) -> dict[str, Any]:
    return {"category": category, "items": [asdict(item) for item in items]}
