"""Three machines become a cluster by the command line alone, as docs/three-machines.md has it."""

import json
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
import requests

from tests.server.cluster import NAMES
from tests.server.processes import ServerProcess, configure, free_port, run_holdfast, wait

pytestmark = pytest.mark.slow

REMOVED = 530
FOREIGN_KEYS = ["61" * 33, "62" * 33, "63" * 33]


class Machine:
    """One machine: a server on it, and a shell to ask it.

    Attributes:
        name: its label.
        url: where it answers.
        token: whom the shell acts as.
        data: its data directory.
    """

    def __init__(self, directory: Path, name: str, leader: str = "") -> None:
        self.name = name
        self.token = ""
        self.data = directory / f"data-{name}"
        self._home = directory
        self._port = free_port()
        self._file = configure(directory, self._port, name, leader)
        self.start()
        self.url = self._server.url

    def start(self) -> None:
        log = self._home / f"{self.name}.log"
        self._server = ServerProcess(self._port, f"-config={self._file}", log=log)

    def end(self) -> None:
        if self._server.process.poll() is None:
            self._server.kill()

    def replace(self) -> None:
        """Start again without the data, as a new machine under the same name."""
        self.end()
        shutil.rmtree(self.data)
        self.start()

    def run(self, *arguments: str) -> CompletedProcess[str]:
        """Run the program here."""
        variables = {"VAULT_ADDR": self.url, "VAULT_TOKEN": self.token, "VAULT_MAX_RETRIES": "0"}
        return run_holdfast(*arguments, home=self._home, **variables)

    def told(self, *arguments: str) -> Any:  # noqa: ANN401 -- whatever JSON it prints
        """Run the program, which succeeds, and return what it prints."""
        ran = self.run("-format=json", *arguments)
        assert ran.returncode == 0, ran.stderr
        return json.loads(ran.stdout) if ran.stdout else None

    def refused(self, *arguments: str) -> str:
        """Run the program, to which the server says no, and return why."""
        ran = self.run(*arguments)
        assert (ran.returncode, ran.stdout) == (2, "")
        return ran.stderr

    def health(self) -> int:
        return requests.get(f"{self.url}/v1/sys/health", timeout=5).status_code

    def seal_status(self) -> dict[str, Any]:
        status: dict[str, Any] = json.loads(self.run("-format=json", "status").stdout)
        return status

    def unseal(self, keys: Sequence[str]) -> dict[str, Any]:
        """Give keys one by one; return the last status."""
        status = {}
        for key in keys:
            status = self.told("operator", "unseal", key)
        return dict(status)

    def is_open(self) -> bool:
        return self.run("status").returncode == 0

    def has_challenge(self) -> bool:
        """Tell whether the cluster has said how many keys it wants."""
        return bool(self.seal_status()["t"] == 3)

    def members(self) -> dict[str, str]:
        """Return the voters, and who of them leads."""
        ran = self.run("operator", "raft", "list-peers")
        rows = [line.split() for line in ran.stdout.splitlines()[2:]]
        return {name: state for name, _, state, voter in rows if voter == "true"}

    def leads(self) -> bool:
        return self.members().get(self.name) == "leader"


class Machines:
    """Three of them, and what `operator init` printed."""

    def __init__(self, directory: Path) -> None:
        self.one = Machine(directory, "one")
        self.two = Machine(directory, "two", leader=self.one.url)
        self.three = Machine(directory, "three")
        self.all = (self.one, self.two, self.three)
        self.directory = directory
        made = self.one.told("operator", "init")
        self.keys: list[str] = made["unseal_keys_b64"]
        self.token: str = made["root_token"]
        for machine in self.all:
            machine.token = self.token

    def join(self) -> None:
        """Open the first and let the others in, one by each way."""
        self.one.unseal(self.keys[:3])
        wait(self.one.leads)
        self.three.told("operator", "raft", "join", self.one.url)
        wait(self.two.has_challenge)
        self.two.unseal(self.keys[2:])
        self.three.unseal(self.keys[1:4])
        wait(self.are_together)

    def let_in_anew(self, machine: Machine, member: Machine) -> None:
        """Let a machine that was removed join again, without the data that it had."""
        machine.replace()
        machine.told("operator", "raft", "join", member.url)
        shown = [machine.run("operator", "unseal", key).stdout for key in self.keys[:3]]
        assert ["let in" in text for text in shown] == [False, False, True]
        wait(self.are_together)

    def are_together(self) -> bool:
        return all(sorted(machine.members()) == sorted(NAMES) for machine in self.all)

    def leader(self) -> Machine:
        wait(lambda: "leader" in self.one.members().values())
        states = self.one.members()
        return next(machine for machine in self.all if states[machine.name] == "leader")

    def end(self) -> None:
        for machine in self.all:
            machine.end()


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    machines = Machines(tmp_path_factory.mktemp("machines"))
    try:
        machines.join()
        yield machines
    finally:
        machines.end()


def test_a_node_opens_with_three_of_five_keys(tmp_path: Path) -> None:
    """Wrong ones are told apart, and an attempt can be begun anew."""
    machine = Machine(tmp_path, "one")
    try:
        assert machine.run("operator", "init", "-status").returncode == 2
        made = machine.told("operator", "init")
        keys = made["unseal_keys_b64"]
        assert (len(keys), made["unseal_threshold"]) == (5, 3)
        assert "already initialized" in machine.refused("operator", "init")
        assert machine.run("operator", "init", "-status").returncode == 0

        first = machine.unseal(keys[:1])
        assert (first["sealed"], first["progress"], len(first["nonce"])) == (True, 1, 36)
        assert machine.unseal(keys[:1]) == first
        assert "shorter than" in machine.refused("operator", "unseal", "YWJj")
        assert "hex or base64" in machine.refused("operator", "unseal", "no key")
        shown = machine.run("operator", "unseal", keys[1]).stdout
        assert "Unseal Progress    2/3\n" in shown
        assert f"Unseal Nonce       {first['nonce']}\n" in shown
        assert machine.run("status").returncode == 2

        assert machine.told("operator", "unseal", "-reset")["progress"] == 0
        again = machine.unseal(keys[:1])
        assert (again["progress"], again["nonce"] == first["nonce"]) == (1, False)
        machine.unseal(FOREIGN_KEYS[:1])
        assert "unseal failed" in machine.refused("operator", "unseal", keys[4])
        assert machine.seal_status()["progress"] == 0

        assert machine.unseal([keys[4], keys[0], keys[2]])["sealed"] is False
        assert machine.is_open()
    finally:
        machine.end()


def test_all_machines_know_all_members(machines: Machines) -> None:
    for machine in machines.all:
        assert sorted(machine.members().values()) == ["follower", "follower", "leader"]
    machines.one.told("secrets", "enable", "-path=kv", "-version=2", "kv")
    for number, writer in enumerate(machines.all):
        writer.told("kv", "put", "kv/shared", f"number={number}")
        read = [reader.told("kv", "get", "kv/shared")["data"]["data"] for reader in machines.all]
        assert read == [{"number": str(number)}] * 3


def test_a_leader_steps_down(machines: Machines) -> None:
    """Asked for at any node; it does not lead again for some seconds."""
    leader = machines.leader()
    asked = next(machine for machine in machines.all if machine is not leader)
    asked.told("operator", "step-down")

    wait(lambda: machines.leader() is not leader)
    assert machines.are_together()


def test_only_the_leader_is_sealed_by_request(machines: Machines) -> None:
    """The others take over, and it opens again with any three keys."""
    leader = machines.leader()
    standby = next(machine for machine in machines.all if machine is not leader)
    assert "cannot seal when in standby mode" in standby.refused("operator", "seal")
    leader.told("operator", "seal")

    assert leader.run("status").returncode == 2
    assert "Vault is sealed" in leader.refused("operator", "raft", "list-peers")
    wait(lambda: "leader" in standby.members().values())
    assert standby.members()[leader.name] == "follower"
    assert leader.unseal(machines.keys[1:4])["sealed"] is False
    wait(machines.are_together)


def test_a_member_is_removed_and_a_new_machine_takes_its_name(machines: Machines) -> None:
    leader = machines.leader()
    removed = machines.two if leader is machines.three else machines.three
    others = sorted(set(NAMES) - {removed.name})
    assert "no member is called 'four'" in leader.refused("operator", "raft", "remove-peer", "four")
    leader.told("operator", "raft", "remove-peer", removed.name)

    assert sorted(leader.members()) == others
    wait(lambda: removed.health() == REMOVED)
    refusal = removed.refused("operator", "raft", "join", leader.url)
    assert "delete its data directory first" in refusal
    assert "was removed from its cluster" in removed.refused("kv", "get", "kv/shared")
    assert removed.seal_status()["removed_from_cluster"] is True
    assert "Removed From Cluster    true\n" in removed.run("status").stdout

    machines.let_in_anew(removed, leader)


def test_a_node_that_is_removed_while_it_is_down_finds_out(machines: Machines) -> None:
    """Nobody opens it, and starting it again changes nothing."""
    leader = machines.leader()
    removed = machines.two if leader is machines.three else machines.three
    removed.end()
    leader.told("operator", "raft", "remove-peer", removed.name)
    removed.start()
    wait(lambda: removed.health() == REMOVED)
    assert "was removed from its cluster" in removed.refused("operator", "unseal", machines.keys[0])

    removed.end()
    removed.start()
    assert removed.health() == REMOVED
    machines.let_in_anew(removed, leader)


@pytest.mark.parametrize("leads", [False, True], ids=["a follower", "the leader"])
def test_a_node_says_that_its_own_removal_is_done(machines: Machines, *, leads: bool) -> None:
    leader = machines.leader()
    removed = next(machine for machine in machines.all if (machine is leader) is leads)
    removed.told("operator", "raft", "remove-peer", removed.name)

    wait(lambda: removed.health() == REMOVED)
    other = next(machine for machine in machines.all if machine is not removed)
    wait(lambda: "leader" in other.members().values())
    assert removed.name not in other.members()
    machines.let_in_anew(removed, other)


def test_a_machine_with_a_foreign_seal_stays_out(machines: Machines, tmp_path: Path) -> None:
    """Be it that it has a seal of its own, or that its operators brought other keys."""
    leader = machines.leader()
    stranger, newcomer = Machine(tmp_path, "stranger"), Machine(tmp_path, "newcomer")
    try:
        foreign = stranger.told("operator", "init")
        assert "belongs to a cluster" in stranger.refused("operator", "raft", "join", leader.url)

        newcomer.told("operator", "raft", "join", leader.url)
        newcomer.unseal(foreign["unseal_keys_b64"][:2])
        refusal = newcomer.refused("operator", "unseal", foreign["unseal_keys_b64"][2])
        assert "unseal failed" in refusal
        assert "not initialized" in newcomer.run("operator", "init", "-status").stdout
        assert sorted(leader.members()) == sorted(NAMES)

        health = requests.get(f"{newcomer.url}/v1/sys/health", timeout=5)
        assert (health.status_code, health.json()["initialized"]) == (501, False)
    finally:
        stranger.end()
        newcomer.end()


def test_whom_nobody_answers_is_told_so(tmp_path: Path) -> None:
    lonely = Machine(tmp_path, "lonely")
    nobody = f"http://127.0.0.1:{free_port()}"
    try:
        assert "failed to join" in lonely.refused("operator", "raft", "join", nobody)
        assert "leader_api_addr is required" in lonely.refused("operator", "raft", "join", "")
    finally:
        lonely.end()
