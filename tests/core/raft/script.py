"""Scripts that drive a cluster: one command a line, below it what came of it.

A script is text. A line that begins with `#` is prose, a line that is indented is a trace, every
other line is a command. Each trace is compared exactly. With `REWRITE_SCRIPTS=1` in the environment
traces are written instead; then read the difference like code, for it is what consensus does.

| command | what happens |
|---|---|
| `settings name=value ...` | other limits than the usual, before `cluster` |
| `cluster a b c +d new e` | voters, learners, and nodes that belong to nothing yet |
| `due a` / `tick a` | time moves on to what a has to do, and it does so / it looks at the clock |
| `wait 100` | time moves on by milliseconds, and nobody looks at the clock |
| `elect a` | a becomes the leader of all that it reaches, without a trace |
| `win a` | the same, but what is in flight before and after it gets lost |
| `deliver a>b [place]`, `drop`, `repeat`, `damage` | one message of those in flight |
| `settle` | deliver until nothing is in flight, without a trace of messages |
| `cut a>b` / `cut a` / `heal` | links lose what is sent from now on / again they do not |
| `hold a>b` / `free a>b` | only `deliver` moves what is in flight there / whatever delivers |
| `propose a x y` | a appends entries with this data in one turn; `100*x` is a long one |
| `disk a by hand` / `sync a` / `disk a at once` | the disk waits to be told that it is done |
| `sync a base` | what it does to the base is done before what it does to the log |
| `crash a` / `lose a` / `restart a` | what is not durable is gone / the base too / it starts |
| `read a 1` / `lease a` | ask for a read index / whether a may read at once |
| `transfer a` / `electable a no` | hand over leadership / it may not lead |
| `change a + d`, `promote d`, `- c`, `to a b / c d` | propose a configuration, if it may |
| `promotable a` | the learner that a would promote |
| `bootstrap a` | make a the only voter of a new cluster |
| `flush a [index]` / `compact a index` | move the base on to / cut the log up to there |
| `log a` / `flight` / `uncommitted a` | show a log / messages under way / bytes not committed |
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar, Final

import msgspec

from core.moment import NANOSECONDS_PER_MILLISECOND, NEVER
from core.raft import membership, reads, transfer
from core.raft.configuration import Configuration
from core.raft.entry import KIND_WRITES
from core.raft.messages import ReadIndexRequest, SnapshotRequest
from core.raft.state import Raft
from core.settings import RaftSettings
from tests.core.raft import trace
from tests.core.raft.cluster import Cluster, InFlight, Machine, members_of
from tests.core.raft.invariants import Invariants

INDENT: Final = "    "
DELIVERIES_MAX: Final = 2_000
"""Messages that one `settle` may take; more of them go in circles."""


class Player:
    """Plays commands on one cluster and returns the trace of each.

    Attributes:
        cluster: what it drives.
        shown: what each member was like when its trace was last written.
    """

    def __init__(self) -> None:
        self.cluster = Cluster(RaftSettings())
        self._invariants = Invariants()
        self.shown: dict[str, list[str]] = {}

    def play(self, command: str) -> list[str]:
        """Carry out one command; return its trace, without indentation."""
        verb, *arguments = command.split()
        self._COMMANDS[verb](self, *arguments)
        events, self.cluster.events = self.cluster.events, []
        self._invariants.verify(self.cluster)
        return events + list(self._changes())

    def _changes(self) -> Iterator[str]:
        """Yield what members are like now, if that is new; those that are alike on one line."""
        alike: dict[str, list[str]] = {}
        for name, machine in self.cluster.machines.items():
            lines = trace.member(machine.raft)
            shown = self.shown.get(name, ["", ""])
            self.shown[name] = lines
            for line, before in zip(lines, shown, strict=True):
                if line not in (before, ""):
                    alike.setdefault(line, []).append(name)
        yield from (f"{' '.join(names)}: {line}" for line, names in alike.items())

    def _machine(self, name: str) -> Machine:
        return self.cluster.machines[name]

    def _link(self, text: str) -> tuple[str, str]:
        sender, _, receiver = text.partition(">")
        return sender, receiver

    # -- the cluster and its clock ----------------------------------------------------------

    def _settings(self, *pairs: str) -> None:
        values = {name: int(value) for name, _, value in (pair.partition("=") for pair in pairs)}
        self.cluster.settings = msgspec.structs.replace(self.cluster.settings, **values)

    def _cluster(self, *names: str) -> None:
        known, _, strangers = " ".join(names).partition("new")
        voters = [name for name in known.split() if not name.startswith("+")]
        learners = [name.removeprefix("+") for name in known.split() if name.startswith("+")]
        self.cluster.open(voters, learners, strangers.split())

    def _due(self, name: str) -> None:
        raft = self._machine(name).running
        assert raft.deadline_ns != NEVER, f"{name} has nothing to do"
        self.cluster.now_ns = max(self.cluster.now_ns, raft.deadline_ns)
        self._machine(name).tick()

    def _tick(self, name: str) -> None:
        self._machine(name).tick()

    def _wait(self, milliseconds: str) -> None:
        self.cluster.now_ns += int(milliseconds) * NANOSECONDS_PER_MILLISECOND

    def _elect(self, name: str) -> None:
        self.cluster.now_ns += self.cluster.settings.election_timeout_max_ns
        self._due(name)
        self._settle()
        assert self._machine(name).running.leadership is not None, f"{name} was not elected"

    def _win(self, name: str) -> None:
        self._clear()
        self.cluster.now_ns += self.cluster.settings.election_timeout_max_ns
        self._due(name)
        raft = self._machine(name).running
        while raft.leadership is None:
            link = self.cluster.oldest()
            assert link is not None, f"{name} was not elected"
            self.cluster.deliver(link)
        self._clear()
        self.cluster.events.clear()

    def _clear(self) -> None:
        for link, messages in self.cluster.links.items():
            if link not in self.cluster.held:
                messages.clear()

    # -- the network ------------------------------------------------------------------------

    def _deliver(self, link: str, place: str = "1") -> None:
        self.cluster.deliver(self._link(link), int(place) - 1)

    def _drop(self, link: str, place: str = "1") -> None:
        self.cluster.links[self._link(link)].pop(int(place) - 1)

    def _repeat(self, link: str, place: str = "1") -> None:
        self.cluster.repeat(self._link(link), int(place) - 1)

    def _damage(self, link: str) -> None:
        messages = self.cluster.links[self._link(link)]
        chunk = messages[0].message
        assert isinstance(chunk, SnapshotRequest)
        damaged = msgspec.structs.replace(chunk, content=chunk.content[::-1])
        messages[0] = InFlight(messages[0].sequence, damaged)

    def _settle(self) -> None:
        for _ in range(DELIVERIES_MAX):
            link = self.cluster.oldest()
            if link is None:
                break
            self.cluster.deliver(link)
            self._invariants.verify(self.cluster)
        else:
            raise AssertionError("messages go in circles")
        spoken = (" may read ", " must ask ", " stops: ")
        self.cluster.events = [
            event for event in self.cluster.events if any(word in event for word in spoken)
        ]

    def _cut(self, what: str) -> None:
        if ">" in what:
            self.cluster.cut.add(self._link(what))
            return
        for other in self.cluster.machines:
            self.cluster.cut |= {(what, other), (other, what)}

    def _heal(self) -> None:
        self.cluster.cut.clear()

    def _hold(self, link: str) -> None:
        self.cluster.held.add(self._link(link))

    def _free(self, link: str) -> None:
        self.cluster.held.remove(self._link(link))

    def _flight(self) -> None:
        waiting = [
            (each.sequence, link, each.message)
            for link, messages in self.cluster.links.items()
            for each in messages
        ]
        for _, (sender, receiver), message in sorted(waiting, key=lambda each: each[0]):
            self.cluster.note(trace.message(sender, receiver, message))

    # -- machines and disks -----------------------------------------------------------------

    def _disk(self, name: str, *how: str) -> None:
        machine = self._machine(name)
        machine.by_hand = " ".join(how) == "by hand"
        if not machine.by_hand:
            machine.act(lambda _raft: None)

    def _sync(self, name: str, what: str = "") -> None:
        machine = self._machine(name)
        assert machine.busy(), f"the disk of {name} has nothing to do"
        if what == "base":
            machine.complete_base()
        else:
            machine.complete()

    def _crash(self, name: str) -> None:
        self._machine(name).crash()

    def _lose(self, name: str) -> None:
        self._machine(name).crash()
        self._machine(name).base = type(self._machine(name).base)()

    def _restart(self, name: str) -> None:
        self._machine(name).crash()
        self._machine(name).start()

    def _flush(self, name: str, index: str = "") -> None:
        machine = self._machine(name)
        machine.flush(int(index or machine.running.commit))

    def _compact(self, name: str, index: str) -> None:
        self._machine(name).compact(int(index))

    def _log(self, name: str) -> None:
        self.cluster.note(trace.log(self._machine(name).running))

    # -- what a leader is asked for ---------------------------------------------------------

    def _propose(self, name: str, *values: str) -> None:
        def append(raft: Raft) -> None:
            for value in values:
                times, _, data = value.rpartition("*")
                entry = raft.log.entry(raft.append(KIND_WRITES, data.encode() * int(times or 1)))
                self.cluster.note(f"{name} appends {trace.entry(entry)}")

        self._machine(name).act(append)

    def _uncommitted(self, name: str) -> None:
        leadership = self._machine(name).running.leadership
        assert leadership is not None
        self.cluster.note(f"{leadership.uncommitted_bytes} bytes")

    def _read(self, name: str, batch: str) -> None:
        def ask(raft: Raft) -> None:
            if raft.leadership is not None or not raft.leader:
                reads.request(raft, "", int(batch), self.cluster.now_ns)
            else:
                raft.send(raft.leader, ReadIndexRequest(int(batch)))

        self._machine(name).act(ask)

    def _lease(self, name: str) -> None:
        raft = self._machine(name).running
        if reads.holds_lease(raft, self.cluster.now_ns):
            left_ns = reads.lease_until_ns(raft) - self.cluster.now_ns
            self.cluster.note(f"{name} may read for {left_ns // NANOSECONDS_PER_MILLISECOND} ms")
        else:
            self.cluster.note(f"{name} holds no lease")

    def _transfer(self, name: str) -> None:
        now_ns = self.cluster.now_ns
        if self._machine(name).act(lambda raft: transfer.start(raft, now_ns)):
            leadership = self._machine(name).running.leadership
            assert leadership is not None
            self.cluster.note(f"{name} hands over to {leadership.successor}")
        else:
            self.cluster.note(f"{name} has nobody to hand over to")

    def _electable(self, name: str, answer: str) -> None:
        now_ns = self.cluster.now_ns
        self._machine(name).act(lambda raft: raft.set_electable(now_ns, electable=answer == "yes"))

    def _change(self, name: str, *change: str) -> None:
        self._machine(name).act(lambda raft: self._propose_change(raft, change))

    def _propose_change(self, raft: Raft, change: tuple[str, ...]) -> None:
        if not membership.may_change(raft):
            self.cluster.note(f"{raft.node} may not change the membership now")
            return
        configuration = raft.configuration
        match change:
            case "+", node:
                wanted = configuration.with_learner(node, members_of([node])[node])
            case "-", node:
                wanted = configuration.without(node)
            case "promote", node:
                wanted = configuration.promoted(node)
            case _:
                new, _, old = " ".join(change[1:]).partition("/")
                names = sorted({*new.split(), *old.split()})
                wanted = Configuration(
                    tuple(new.split()), tuple(old.split()), (), members_of(names)
                )
        membership.propose(raft, wanted)

    def _promotable(self, name: str) -> None:
        learner = membership.caught_up_learner(self._machine(name).running)
        self.cluster.note(f"{name} would promote {learner or 'nobody'}")

    def _bootstrap(self, name: str) -> None:
        now_ns = self.cluster.now_ns
        member = members_of([name])[name]
        self._machine(name).act(lambda raft: membership.bootstrap(raft, member, now_ns))

    _COMMANDS: ClassVar[dict[str, Callable[..., Any]]] = {
        "bootstrap": _bootstrap,
        "change": _change,
        "cluster": _cluster,
        "compact": _compact,
        "crash": _crash,
        "cut": _cut,
        "damage": _damage,
        "deliver": _deliver,
        "disk": _disk,
        "drop": _drop,
        "due": _due,
        "elect": _elect,
        "electable": _electable,
        "flight": _flight,
        "flush": _flush,
        "free": _free,
        "heal": _heal,
        "hold": _hold,
        "lease": _lease,
        "log": _log,
        "lose": _lose,
        "promotable": _promotable,
        "propose": _propose,
        "read": _read,
        "repeat": _repeat,
        "restart": _restart,
        "settings": _settings,
        "settle": _settle,
        "sync": _sync,
        "tick": _tick,
        "transfer": _transfer,
        "uncommitted": _uncommitted,
        "wait": _wait,
        "win": _win,
    }


def play(script: str) -> str:
    """Return the script with the traces that its commands really have."""
    player = Player()
    lines: list[str] = []
    for line in script.splitlines():
        if line.startswith(INDENT):
            continue
        lines.append(line)
        if line and not line.startswith("#"):
            lines += [INDENT + event for event in player.play(line)]
    return "\n".join(lines) + "\n"


def verify(path: Path, *, rewrite: bool) -> None:
    """Compare a script with what happens; or write down what happens."""
    expected = path.read_text()
    actual = play(expected)
    if rewrite:
        path.write_text(actual)
    else:
        assert expected == actual
