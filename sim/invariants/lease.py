"""A lease excludes any other leader for as long as it lasts (thesis, section 6.4)."""

from core import effects
from core.raft.leadership import Leadership
from core.raft.quorum import majority
from core.raft.state import Raft
from sim.host import Host
from sim.invariants.invariant import Invariant
from sim.world import Question, World


class LeasesAreExclusive(Invariant):
    """While a leader trusts its lease no other is elected, nor could be.

    A read that rests on a lease is looked at when it is answered: those who do not back the lease,
    by refusing their vote until it ends by their own clock, must be no majority. A new leader is
    looked at when it is elected: nobody else may hold a lease then.
    """

    def __init__(self) -> None:
        self._elected: dict[int, str] = {}

    def led(self, world: World, host: Host, raft: Raft) -> None:
        """Look for another lease when a leader is elected."""
        if raft.term in self._elected:
            return
        self._elected[raft.term] = host.name
        for other in world.hosts.values():
            node = other.node
            if other is host or node is None or node.raft.leadership is None:
                continue
            now_ns = other.clock.monotonic_ns(world.time_ns)
            if node.raft.term < raft.term and _lease_until_ns(node.raft, now_ns) > now_ns:
                raise self.violated(
                    f"{host.name} leads in term {raft.term} while {other.name}"
                    f" holds a lease in term {node.raft.term}"
                )

    def answered(
        self, world: World, host: Host, question: Question, effect: effects.Answer
    ) -> None:
        """See whether too many voters are free to elect another before the lease ends."""
        node = host.node
        if not effect.lease_until_ns or node is None or node.raft.leadership is None:
            return
        ends_ns = host.clock.time_ns(effect.lease_until_ns)
        voters = node.raft.configuration.incoming
        others = [name for name in voters if name != host.name]
        free = [name for name in others if not _is_loyal(world, name, ends_ns)]
        if len(free) >= majority(len(voters)):
            raise self.violated(
                f"{host.name} answers {question.client} on a lease until {ends_ns} that {free}"
                " will not keep"
            )


def _lease_until_ns(raft: Raft, now_ns: int) -> int:
    """Return when a leader's lease ends if it were asked now (monotonic); 0 without one."""
    leadership = raft.leadership
    assert isinstance(leadership, Leadership)
    if leadership.lease_forgone or raft.commit < leadership.first_index:
        return 0
    stamps = {**leadership.acked_stamps, raft.node: now_ns}
    stamp = raft.quorum_value(stamps)
    renewed_ns = stamp + raft.settings.lease_ns if stamp else 0
    return max(leadership.lease_until_ns, renewed_ns)


def _is_loyal(world: World, name: str, until_ns: int) -> bool:
    """Tell whether a voter would still refuse to vote just before that virtual time.

    One that is down forgets whom it heard, and keeps still for as long after its restart; one
    that was wiped comes back as another member.
    """
    host = world.members.get(name)
    if host is None or host.node is None:
        return True
    return host.node.raft.hears_leader(host.clock.monotonic_ns(until_ns) - 1)
