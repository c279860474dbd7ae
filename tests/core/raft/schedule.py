"""Schedules: commands of the script language, chosen by numbers from what can happen next.

Owns what may be done to a cluster in which state, and two promises about reads that only somebody
who sees all members can check. A failing schedule is a script: it can be pasted into `scripts`.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from core.moment import NEVER
from core.raft import membership, reads
from core.raft.state import Raft
from tests.core.raft.cluster import Machine
from tests.core.raft.script import Player

SETTINGS: Final = "settings append_bytes_max=150 inflight_messages_max=2 snapshot_chunk_bytes=12"
"""Small limits, so that short schedules reach them."""
CLUSTERS: Final = ("cluster a b c", "cluster a b c +d new e", "cluster a b c d e")

OLDEST_WEIGHT: Final = 14
SYNC_WEIGHT: Final = 3
DUE_WEIGHT: Final = 2
PROPOSE_WEIGHT: Final = 3
HEAL_WEIGHT: Final = 4
FAULT_WEIGHTS: Final = (1, 3, 6)
"""With few faults a lot gets done; with many, what gets done is soon in danger."""
LOST_BASES_MAX: Final = 1
RECOVERY_STEPS: Final = 300
"""Deadlines that may pass until all members agree again; about thirty are usual."""
VOTERS_MIN: Final = 3
"""Of two voters, one that has lost its base can neither lead nor be done without."""


class Walk:
    """One cluster on its way through a schedule; a number says how large it is and how faulty.

    Attributes:
        player: carries out the commands.
        script: the commands so far.
        reads_confirmed: how many reads could be answered.
    """

    def __init__(self, number: int) -> None:
        self.player = Player()
        self.script: list[str] = []
        self.reads_confirmed = 0
        self._asked: dict[str, int] = {}
        self._reads = 0
        self._lost_bases = 0
        self._agreeing_term = 0
        self.play(SETTINGS)
        self.play(CLUSTERS[number % len(CLUSTERS)])
        self._fault_weight = FAULT_WEIGHTS[number // len(CLUSTERS) % len(FAULT_WEIGHTS)]

    def step(self, number: int) -> None:
        """Do one of the things that can happen next; which one, `number` says."""
        groups = [group for group in (list(each) for each in self._groups()) if group]
        number, place = divmod(number, len(groups))
        group = groups[place]
        self.play(group[number % len(group)])

    def play(self, command: str) -> None:
        """Carry out a command, and look at all promises about reads."""
        self.script.append(command)
        verb, *arguments = command.split()
        cluster = self.player.cluster
        if verb == "read":
            self._asked[" ".join(arguments)] = self._committed()
            self._reads += 1
        self._lost_bases += verb == "lose"
        for event in self.player.play(command):
            name, _, answer = event.partition(" may read ")
            if answer:
                batch, _, index = answer.partition(" at ")
                self.reads_confirmed += 1
                assert int(index) >= self._asked[f"{name} {batch}"], f"a stale read: {event}"
        assert cluster.stopped == []
        for machine in cluster.up():
            if reads.holds_lease(machine.running, cluster.now_ns):
                missing = machine.running.commit < self._committed()
                assert not missing, f"{machine.name} holds a lease and lacks what is committed"

    def recover(self) -> None:
        """End all faults and let time pass; then all members must agree on something new."""
        cluster = self.player.cluster
        commands = [
            "heal",
            *(f"free {sender}>{receiver}" for sender, receiver in sorted(cluster.held)),
        ]
        for name, machine in cluster.machines.items():
            if machine.raft is None:
                commands.append(f"restart {name}")
            if machine.by_hand:
                commands.append(f"disk {name} at once")
        for command in commands:
            self.play(command)
        for _ in range(RECOVERY_STEPS):
            self.play("settle")
            leader = self._leader()
            if leader is not None and self._agree(leader.running):
                return
            first = min(cluster.up(), key=lambda machine: machine.running.deadline_ns)
            self.play(f"due {first.name}")
        raise AssertionError("without any fault the members come to no agreement")

    def _leader(self) -> Machine | None:
        up = self.player.cluster.up()
        leaders = [machine for machine in up if machine.running.leadership is not None]
        return max(leaders, key=lambda machine: machine.running.term, default=None)

    def _agree(self, leader: Raft) -> bool:
        """Tell whether all members have an entry that was proposed after the faults."""
        machine = self.player.cluster.machines[leader.node]
        if self._flushable(machine) > machine.base.meta.index:
            self.play(f"flush {leader.node}")  # a member that lost its base may wait for that
        if leader.term != self._agreeing_term:
            self._agreeing_term = leader.term
            self.play(f"propose {leader.node} together")
            return False
        members = [
            self.player.cluster.machines[node].running for node in leader.configuration.members
        ]
        return leader.commit == leader.log.last_index and all(
            member.commit == leader.commit and member.leader == leader.node for member in members
        )

    def _committed(self) -> int:
        return max((machine.running.commit for machine in self.player.cluster.up()), default=0)

    # -- what can happen --------------------------------------------------------------------

    def _groups(self) -> Iterator[Iterable[str]]:
        cluster = self.player.cluster
        links = [
            f"{sender}>{receiver}" for (sender, receiver), each in cluster.links.items() if each
        ]
        up = list(cluster.up())
        for _ in range(OLDEST_WEIGHT):
            # Mostly messages arrive, in the order in which they were sent.
            oldest = cluster.oldest()
            yield [] if oldest is None else [f"deliver {oldest[0]}>{oldest[1]}"]
        yield [f"deliver {link}" for link in links]
        yield [f"deliver {link} 2" for link in links if self._waiting(link) > 1]
        yield [f"{verb} {link}" for verb in ("drop", "repeat") for link in links]
        free = [link for link in links if self._link(link) not in cluster.held]
        held = [f"free {sender}>{receiver}" for sender, receiver in sorted(cluster.held)]
        yield [*(f"hold {link}" for link in free), *held]
        for _ in range(SYNC_WEIGHT):
            yield [f"sync {machine.name}" for machine in up if machine.busy()]
        yield [f"sync {machine.name} base" for machine in up if machine.base_busy()]
        waiting = [machine for machine in up if machine.running.deadline_ns != NEVER]
        first = min(waiting, key=lambda machine: machine.running.deadline_ns, default=None)
        for _ in range(DUE_WEIGHT):
            yield [] if first is None else [f"due {first.name}"]
        yield ["wait 30", *(f"tick {machine.name}" for machine in up)]
        yield from self._asks(up)
        yield [
            f"restart {machine.name}" for machine in cluster.machines.values() if not machine.raft
        ]
        for _ in range(HEAL_WEIGHT):
            yield ["heal"] if cluster.cut else []
        for _ in range(self._fault_weight):
            yield self._faults(up)

    def _link(self, text: str) -> tuple[str, str]:
        sender, _, receiver = text.partition(">")
        return sender, receiver

    def _waiting(self, link: str) -> int:
        return len(self.player.cluster.links[self._link(link)])

    def _asks(self, up: list[Machine]) -> Iterator[Iterable[str]]:
        leaders = [machine for machine in up if machine.running.leadership is not None]
        names = [machine.name for machine in leaders]
        for _ in range(PROPOSE_WEIGHT):
            yield [f"propose {name} {len(self.script)}" for name in names]
        yield [f"propose {name} 100*x {len(self.script)}" for name in names]
        yield [f"read {machine.name} {self._reads}" for machine in up]
        yield [change for leader in leaders for change in self._changes(leader.running)]
        rare = [f"transfer {name}" for name in names]
        rare += [f"due {machine.name}" for machine in up if machine.running.deadline_ns != NEVER]
        for machine in up:
            base, index = machine.base.meta.index, self._flushable(machine)
            rare += [f"flush {machine.name} {index}"] * (index > base)
            cut = min(base, machine.running.log.stable_index)
            rare += [f"compact {machine.name} {cut}"] * (cut > machine.running.log.start_index)
        yield rare

    def _flushable(self, machine: Machine) -> int:
        raft = machine.running
        return 0 if raft.awaits_base else min(raft.commit, raft.log.stable_index)

    def _changes(self, raft: Raft) -> list[str]:
        if not membership.may_change(raft):
            return []
        configuration = raft.configuration
        learners = [node for node in self.player.cluster.machines if not configuration.votes(node)]
        changes = [f"change {raft.node} + {node}" for node in learners]
        if membership.caught_up_learner(raft):
            changes.append(f"change {raft.node} promote {membership.caught_up_learner(raft)}")
        if len(configuration.incoming) > VOTERS_MIN:
            changes += [f"change {raft.node} - {node}" for node in configuration.incoming]
        return changes

    def _faults(self, up: list[Machine]) -> list[str]:
        faults: list[str] = []
        for machine in up:
            how = "at once" if machine.by_hand else "by hand"
            faults += [f"crash {machine.name}", f"disk {machine.name} {how}", f"cut {machine.name}"]
            if self._lost_bases < LOST_BASES_MAX and len(machine.entries) > 1:
                faults.append(f"lose {machine.name}")
        return faults
