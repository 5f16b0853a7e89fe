"""Through the gateway: a session that is put away, copied and shown to others, and a résumé that tailors one."""

import httpx

from intervai_shared.testing import NewPerson, Person
from tests.e2e.support import start_session, upload_resume, wait_for_job


async def test_a_session_is_shared_by_a_link_that_needs_no_account_and_ends_when_it_is_revoked(
    gateway: httpx.AsyncClient, person: Person
) -> None:
    session = await start_session(person, ["SQL"], 3)
    await wait_for_job(person, session["generation"]["jobId"])
    path = f"/api/v1/sessions/{session['id']}"
    copy = (await person.http.post(f"{path}/clone", json={"title": "For Bob"})).json()
    assert (await person.http.post(f"{path}/archive")).status_code == 200
    listed = (await person.http.get("/api/v1/sessions")).json()["items"]
    assert [each["title"] for each in listed] == ["For Bob"]
    share = (await person.http.post(f"/api/v1/sessions/{copy['id']}/shares", json={})).json()
    seen = await gateway.get(share["url"])
    assert (seen.status_code, len(seen.json()["questions"])) == (200, 3)
    assert seen.headers["cache-control"] == "public, max-age=0, s-maxage=30, must-revalidate"
    assert seen.headers["x-robots-tag"] == "noindex"
    assert (await person.http.delete(f"/api/v1/sessions/{copy['id']}/shares/{share['id']}")).status_code == 204
    assert (await gateway.get(share["url"])).status_code == 404


async def test_a_resume_goes_to_s3_is_read_by_the_worker_and_tailors_a_session_from_a_shared_template(
    person: Person, new_person: NewPerson
) -> None:
    recipe = {"name": "Cook", "role": "Cook", "experience": "junior", "topics": ["Soup"], "questionCount": 2}
    template = (await person.http.post("/api/v1/templates", json=recipe)).json()
    link = (await person.http.post(f"/api/v1/templates/{template['id']}/share", json={})).json()
    friend = await new_person()
    resume = await upload_resume(friend, "Ten years of soup at the Café".encode())
    reading = await friend.http.post("/api/v1/resumes", json={"uploadId": resume})
    assert reading.status_code == 202, reading.text
    assert (await wait_for_job(friend, reading.json()["jobId"]))["status"] == "succeeded"
    assert (await friend.http.get(f"/api/v1/resumes/{resume}")).json()["text"] == "Ten years of soup at the Café"
    started = await friend.http.post(f"{link['url']}/sessions", json={"resumeId": resume})
    assert started.status_code == 201, started.text
    assert (await wait_for_job(friend, started.json()["generation"]["jobId"]))["status"] == "succeeded"
    assert started.json()["resumeId"] == resume
