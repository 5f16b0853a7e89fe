"""Questions through the gateway, with the offline model: rewritten, explained, found, collected, undone."""

from intervai_shared.testing import Person
from tests.e2e.support import start_session, wait_for_job


async def test_a_question_is_rewritten_explained_found_collected_and_put_back(person: Person) -> None:
    http, session = person.http, await start_session(person, topics=["Python"], count=3)
    await wait_for_job(person, session["generation"]["jobId"])
    [question, *others] = (await http.get(f"/api/v1/sessions/{session['id']}/questions")).json()["items"]
    path = f"/api/v1/questions/{question['id']}"

    job = (await http.post(f"{path}/regenerate")).json()
    assert (await wait_for_job(person, job["jobId"]))["status"] == "succeeded"
    new = (await http.get(path)).json()
    assert (new["version"], new["category"]) == (2, question["category"])
    assert new["text"] not in {question["text"], *(other["text"] for other in others)}

    job = (await http.post(f"{path}/explanation")).json()
    assert (await wait_for_job(person, job["jobId"]))["status"] == "succeeded"
    explained = await http.post(f"{path}/explanation")
    assert explained.status_code == 200
    assert explained.json()["sections"]

    word = max(new["text"].split(), key=len)
    found = (await http.get("/api/v1/questions/search", params={"q": word})).json()["items"]
    assert question["id"] in {item["id"] for item in found}

    collection = (await http.post("/api/v1/collections", json={"name": "Again"})).json()
    await http.put(f"/api/v1/collections/{collection['id']}/questions/{question['id']}")
    old = (await http.post(f"{path}/undo")).json()
    assert (old["text"], old["version"]) == (question["text"], 3)
    collected = (await http.get(f"/api/v1/collections/{collection['id']}/questions")).json()["items"]
    assert [item["text"] for item in collected] == [question["text"]]

    ids = [item["id"] for item in others]
    done = (await http.post("/api/v1/questions/bulk", json={"ids": ids, "action": "delete"})).json()
    assert {item["status"] for item in done["items"]} == {"done"}
    stats = (await http.get(f"/api/v1/sessions/{session['id']}/questions/stats")).json()
    assert (stats["total"], stats["bySource"]) == (1, {"generated": 1})
