"""Makes docs/samples anew: one session in every format, by way of a running suite as a person would.

`make samples` runs it; GATEWAY_PORT names the suite.
"""

import asyncio
import os
import secrets
from pathlib import Path
from typing import Any

import httpx

FOLDER = Path(__file__).parents[1] / "docs" / "samples"
FORMATS = ("pdf", "docx", "md", "csv", "json", "apkg")
WANTED = {
    "title": "Backend engineer at Example Ltd",
    "role": "Backend engineer",
    "experience": "senior",
    "topics": ["Python", "SQL", "Docker"],
    "questionCount": 9,
}
OWN = {
    "text": "Wie würdest du 面接 (mensetsu), συνέντευξη и собеседование in einer Suche gleich gut finden?",
    "answer": """Normalise first (NFKC), then fold case:

```python
import unicodedata


def folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()
```

Chinese 面试 and Korean 면접 have no spaces: cut them into pairs of letters.""",
    "category": "Languages",
    "difficulty": "hard",
    "keyPoints": ["`NFKC` before `casefold`", "Pairs of letters where there are no spaces"],
    "followUps": ["What does that do to the index?"],
    "notes": '=HYPERLINK("http://example.com") is only text here, and so are #panic() and <b>this</b>.',
}


async def main() -> None:
    """Registers a person, makes a session, saves its files."""
    url = f"http://127.0.0.1:{os.environ.get('GATEWAY_PORT', '8080')}"
    async with httpx.AsyncClient(base_url=url, timeout=60) as http:
        names = {"email": f"{secrets.token_hex(8)}@example.com", "fullName": "Ada Lovelace"}
        person = await _post(http, "/api/v1/auth/register", {**names, "password": secrets.token_hex(8)})
        http.headers["Authorization"] = f"Bearer {person['accessToken']}"
        session = await _post(http, "/api/v1/sessions", WANTED)
        await _ended(http, f"/api/v1/jobs/{session['generation']['jobId']}")
        own = await _post(http, f"/api/v1/sessions/{session['id']}/questions", OWN)
        await http.patch(f"/api/v1/questions/{own['id']}", json={"isPinned": True})
        FOLDER.mkdir(parents=True, exist_ok=True)
        for kind in FORMATS:
            export = await _post(http, "/api/v1/exports", {"sessionId": session["id"], "format": kind})
            ready = await _ended(http, f"/api/v1/exports/{export['id']}")
            file = (await httpx.AsyncClient().get(ready["downloadUrl"])).raise_for_status()
            (FOLDER / f"interview.{kind}").write_bytes(file.content)
            if kind == "pdf":
                manifest = (await http.get(f"/api/v1/exports/{export['id']}/manifest")).raise_for_status()
                (FOLDER / "interview.pdf.manifest.json").write_bytes(manifest.content + b"\n")


async def _post(http: httpx.AsyncClient, path: str, body: Any) -> Any:
    return (await http.post(path, json=body)).raise_for_status().json()


async def _ended(http: httpx.AsyncClient, path: str) -> Any:
    while True:
        answer = (await http.get(path)).raise_for_status().json()
        if answer["status"] not in {"queued", "running"}:
            return answer
        await asyncio.sleep(0.1)


if __name__ == "__main__":
    asyncio.run(main())
