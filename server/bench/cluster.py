"""`bench cluster`: three durable nodes on this machine, beside three members of etcd.

Owns the course of this benchmark.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from typing import Final

from server.bench.dev_cluster import NODES, DevCluster, client_token, dev_cluster
from server.bench.etcd import Etcd, etcd
from server.bench.figure import Figure, Report, of_rounds
from server.bench.load import Load, Round, Subject, rates, usages
from server.bench.machine import ANYWHERE, limited_by
from server.bench.place import disk_condition, workplace
from server.bench.preparation import fill
from server.bench.settings import VALUE_BYTES, BenchError, PeerUnavailable, Settings
from server.bench.workload import Workload, etcd_put, kv_read, kv_write

ONE_CLIENT: Final = 1


def cluster(settings: Settings) -> Report:
    """Measure a cluster of three nodes.

    Raises:
        BenchError: the cluster or the load generator failed, or the leader changed meanwhile.
    """
    with workplace(settings) as directory, ExitStack() as stack:
        ours = stack.enter_context(dev_cluster(directory))
        peer = None
        try:
            peer = stack.enter_context(etcd(NODES, directory))
        except PeerUnavailable as error:
            settings.say(f"no peer: {error}")
        token = client_token(ours)
        fill(ours.leader().target, token, settings.keys, settings.connections)
        conditions = (
            "plain HTTP",
            "no audit device",
            f"{NODES} durable nodes on this machine",
            f"{settings.keys} keys of {VALUE_BYTES} bytes",
            "policy of 20 rules",
            ANYWHERE.condition,
            disk_condition(directory),
        )
        course = _Course(settings, Load(settings, directory, ANYWHERE), ours, conditions)
        return Report([*course.writes(token, peer), *course.reads(token)])


class _Course:
    """What is measured, in turn, of one cluster."""

    def __init__(
        self, settings: Settings, load: Load, ours: DevCluster, conditions: tuple[str, ...]
    ) -> None:
        self._settings = settings
        self._load = load
        self._ours = ours
        self._leader = ours.leader()
        self._conditions = (*conditions, *load.conditions)

    def writes(self, token: str, peer: Etcd | None) -> list[Figure]:
        """Write to the leaders by many connections, then by one."""
        subjects = [self._subject("leader", kv_write(token, self._settings.keys))]
        against = ""
        if peer is not None:
            against = f"{peer.name}, JSON gateway"
            puts = etcd_put(self._settings.keys)
            subjects.append(
                Subject(name=peer.name, target=peer.leader, workload=puts, pids=peer.pids)
            )
        many = self._alternate(subjects, self._settings.connections)
        one = self._alternate(subjects, ONE_CLIENT)
        figures = [self._rate("KV v2 write, leader", many, against, durable=True)]
        for name, pick in (("p50", _p50_ms), ("p99", _p99_ms)):
            ours, *peers = [[pick(each) for each in rounds] for rounds in one]
            figures.append(
                of_rounds(
                    f"KV v2 write {name}, one client",
                    ours,
                    "ms",
                    (*self._conditions, "1 connection"),
                    theirs=[value for values in peers for value in values],
                    against=against,
                )
            )
        return figures

    def reads(self, token: str) -> list[Figure]:
        """Read at the leader and at a follower, in turn."""
        workload = kv_read(token, self._settings.keys)
        subjects = [self._subject("leader", workload), self._subject("follower", workload)]
        leader, follower = self._alternate(subjects, self._settings.connections)
        return [
            self._rate("KV v2 read, leader", [leader], "", durable=False),
            self._rate("KV v2 read, follower", [follower], "", durable=False),
        ]

    def _subject(self, role: str, workload: Workload) -> Subject:
        followers = [each for each in self._ours.members if each != self._leader]
        member = self._leader if role == "leader" else followers[0]
        return Subject(
            name=f"holdfast, {role}",
            target=member.target,
            workload=workload,
            pids=self._ours.pids(),
        )

    def _alternate(self, subjects: Sequence[Subject], connections: int) -> list[list[Round]]:
        rounds = self._load.alternate(subjects, connections)
        if self._ours.leader() != self._leader:
            raise BenchError("the leader changed while it was measured; the machine is too busy")
        return rounds

    def _rate(self, name: str, taken: list[list[Round]], against: str, *, durable: bool) -> Figure:
        ours, *peers = taken
        limit = limited_by(usages(ours), ANYWHERE, durable=durable)
        connections = f"{self._settings.connections} connections"
        return of_rounds(
            name,
            rates(ours),
            "requests/s",
            (*self._conditions, connections, limit),
            theirs=[rate for rounds in peers for rate in rates(rounds)],
            against=against,
        )


def _p50_ms(taken: Round) -> float:
    return taken.outcome.p50_ms


def _p99_ms(taken: Round) -> float:
    return taken.outcome.p99_ms
