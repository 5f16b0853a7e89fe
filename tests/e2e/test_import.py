"""A session leaves as a JSON file and comes back through the gateway."""

import json
from typing import Any

from intervai_shared.testing import NewPerson, Person
from tests.e2e.support import export_file, start_session, wait_for_job

PATH = "/api/v1/sessions/import"
OF_THE_COPY = {"id", "createdAt"}


def content_of(file: bytes) -> Any:
    """What the file tells, without what belongs to the things themselves."""
    told = json.loads(file)
    session = {name: value for name, value in told["session"].items() if name not in OF_THE_COPY}
    questions = [{name: value for name, value in one.items() if name != "id"} for one in told["questions"]]
    return told["schema"], session, questions


async def test_an_exported_session_is_imported_by_another_person_as_it_was(
    person: Person, new_person: NewPerson
) -> None:
    session = await start_session(person, topics=["Python"], count=3)
    await wait_for_job(person, session["generation"]["jobId"])
    mine = {"text": "Own <b>question</b>?", "notes": "=1+1", "answer": "`x` ``` \\(y\\)", "keyPoints": ["日本語"]}
    added = await person.http.post(f"/api/v1/sessions/{session['id']}/questions", json=mine)
    await person.http.patch(f"/api/v1/questions/{added.json()['id']}", json={"isPinned": True})
    _, file = await export_file(person, session["id"], "json")

    other = await new_person()
    answer = await other.http.post(PATH, content=file, headers={"Content-Type": "application/json"})
    assert answer.status_code == 201, answer.text
    assert answer.json()["questionCount"] == 4
    assert answer.json()["id"] != session["id"]
    _, again = await export_file(other, answer.json()["id"], "json")
    assert content_of(again) == content_of(file)


async def test_a_file_of_several_mebibytes_goes_through_the_gateway(person: Person) -> None:
    questions = [{"text": f"Question {number}?", "answer": "x" * 20_000} for number in range(150)]
    about = {"title": "Large", "role": "Cook", "experience": "senior", "topics": []}
    file = {"schema": "urn:intervai:session-export:1", "session": about, "questions": questions}
    answer = await person.http.post(PATH, json=file)
    assert answer.status_code == 201, answer.text
    assert answer.json()["questionCount"] == 150
