import socket
import stat
from pathlib import Path

import pytest

from intervai_local import spawns
from intervai_local.state import PORT_RANGE, State, SuiteError


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_ports_are_remembered_and_distinct(state: State) -> None:
    first = state.ports(["mongo", "valkey", "s3"])
    assert state.ports(["s3", "mongo", "valkey"]) == first
    assert len(set(first.values())) == 3
    assert all(port in PORT_RANGE for port in first.values())


def test_a_port_that_another_program_took_is_chosen_anew(state: State) -> None:
    taken = state.ports(["mongo"])["mongo"]
    with socket.create_server(("127.0.0.1", taken)):
        assert state.ports(["mongo"])["mongo"] != taken


def test_a_port_that_is_spoken_for_is_given_to_nobody(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    three = range(PORT_RANGE.start, PORT_RANGE.start + 3)
    monkeypatch.setattr("intervai_local.state.PORT_RANGE", three)
    monkeypatch.setattr("intervai_local.state.is_free", lambda _: True)
    gateway = three[1]
    assert set(state.ports(["mongo", "valkey"], excluding={gateway}).values()) == {three[0], three[2]}
    remembered = state.ports(["mongo"])["mongo"]
    assert state.ports(["mongo"], excluding={remembered})["mongo"] == gateway


def test_a_running_process_keeps_its_port(state: State) -> None:
    own = state.ports(["mongo"])["mongo"]
    with socket.create_server(("127.0.0.1", own)):
        assert state.ports(["mongo", "qa-service-2"], running=["mongo"])["mongo"] == own


def test_secrets_stay_and_only_the_owner_reads_them(state: State) -> None:
    made = state.secrets()
    assert state.secrets() == made
    assert len(set(made.values())) == len(made)
    assert mode(state.root / "secrets.json") == 0o600
    assert mode(state.root) == 0o700


def test_a_secret_that_a_newer_version_needs_is_added_to_the_old_ones(state: State) -> None:
    made = state.secrets()
    state.write("secrets.json", {"redis": made["redis"]})
    again = state.secrets()
    assert again["redis"] == made["redis"]
    assert again.keys() == made.keys()


def test_foreign_folders_are_neither_used_nor_removed(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(SuiteError, match="not empty"):
        State(tmp_path).create()
    with pytest.raises(SuiteError, match="not made by this runner"):
        State(tmp_path).remove()
    assert (tmp_path / "thesis.txt").exists()


def test_remove_takes_the_whole_folder(state: State) -> None:
    state.remove()
    assert not state.root.exists()
    state.remove()


def test_two_commands_at_once_are_refused(state: State) -> None:
    with state.locked(), pytest.raises(SuiteError, match="another up, down or scale"), state.locked():
        pass


def test_an_instance_that_scaling_took_away_has_no_restarts_when_it_comes_back(state: State) -> None:
    state.spawns.write_text("qa-service-1 11\nqa-service-2 12\nqa-service-1 13\n")
    assert spawns.read(state.spawns) == {"qa-service-1": [11, 13], "qa-service-2": [12]}
    spawns.forget(state.spawns, ["qa-service-2"])
    assert spawns.read(state.spawns) == {"qa-service-1": [11, 13]}
    with state.spawns.open("a") as file:
        file.write("qa-service-2 14\n")
    assert spawns.read(state.spawns)["qa-service-2"] == [14]
