"""Every limit and timeout of a node, in one record (times in nanoseconds, sizes in bytes).

The simulator draws these per seed, down to limits of one; production takes the defaults but for
what the configuration file says.
"""

from typing import Final

import msgspec

from core.moment import NANOSECONDS_PER_MILLISECOND, NANOSECONDS_PER_SECOND

PERFORMANCE_MULTIPLIER_DEFAULT: Final = 5
PERFORMANCE_MULTIPLIER_MAX: Final = 10


class RaftSettings(msgspec.Struct, frozen=True):
    """Timing and flow control of consensus; the defaults are for one local network.

    Attributes:
        heartbeat_ns: a leader lets no peer wait longer for a message.
        election_timeout_min_ns: a follower that has heard from its leader within this time
            grants no vote, and a lease lasts at most this long.
        election_timeout_max_ns: timeouts are drawn from the minimum up to this; a leader
            that has not heard from a quorum for this long steps down.
        clock_drift_ppm: how much faster, at most, another node's clock may run, in millionths.
        append_bytes_max: entries in one `AppendRequest`.
        inflight_messages_max: `AppendRequest`s with entries that a peer has not answered.
        uncommitted_bytes_max: entries that the leader may have appended beyond the commit
            index; further proposals are refused.
        snapshot_chunk_bytes: content of one chunk of a snapshot.
        snapshot_retry_ns: an unanswered chunk is sent again after this.
    """

    heartbeat_ns: int = 100 * NANOSECONDS_PER_MILLISECOND
    election_timeout_min_ns: int = 500 * NANOSECONDS_PER_MILLISECOND
    election_timeout_max_ns: int = 1_000 * NANOSECONDS_PER_MILLISECOND
    clock_drift_ppm: int = 100_000
    append_bytes_max: int = 1 << 20
    inflight_messages_max: int = 64
    uncommitted_bytes_max: int = 32 << 20
    snapshot_chunk_bytes: int = 256 << 10
    snapshot_retry_ns: int = NANOSECONDS_PER_SECOND

    @property
    def lease_ns(self) -> int:
        """Return how long a leader may trust an acknowledgement, drift allowed for."""
        return self.election_timeout_min_ns * 1_000_000 // (1_000_000 + self.clock_drift_ppm)

    @property
    def farewell_ns(self) -> int:
        """How long a leader tries to tell a removed member that its removal is committed."""
        return 2 * self.election_timeout_max_ns


def raft_settings(performance_multiplier: int | None) -> RaftSettings:
    """Return the timing that `performance_multiplier` asks for; None keeps the defaults.

    With `m`, heartbeats come every m/10 s and elections are drawn from m to 1.5 m s;
    0 means `PERFORMANCE_MULTIPLIER_DEFAULT`.
    """
    if performance_multiplier is None:
        return RaftSettings()
    multiplier = performance_multiplier or PERFORMANCE_MULTIPLIER_DEFAULT
    return RaftSettings(
        heartbeat_ns=multiplier * NANOSECONDS_PER_SECOND // 10,
        election_timeout_min_ns=multiplier * NANOSECONDS_PER_SECOND,
        election_timeout_max_ns=multiplier * NANOSECONDS_PER_SECOND * 3 // 2,
        snapshot_retry_ns=multiplier * NANOSECONDS_PER_SECOND,
    )


class StoreSettings(msgspec.Struct, frozen=True):
    """When applied writes go down to the base and the log is cut.

    Attributes:
        segment_bytes: size of one segment of the log on disk.
        memtable_bytes_max: applied writes kept in memory before a flush begins.
        trailing_bytes_max: entries kept in memory behind the base, for followers that lag.
        log_bytes_max: entries kept in memory whatever waits for them.
        retry_ns: pause before a refused segment or flush is asked for again.
        stall_ns: a leader whose log has not become durable for this long steps down.
    """

    segment_bytes: int = 16 << 20
    memtable_bytes_max: int = 8 << 20
    trailing_bytes_max: int = 8 << 20
    log_bytes_max: int = 64 << 20
    retry_ns: int = NANOSECONDS_PER_SECOND
    stall_ns: int = NANOSECONDS_PER_SECOND


class RequestSettings(msgspec.Struct, frozen=True):
    """How many requests wait, and how long.

    Attributes:
        waiting_max: requests without an answer at one node; further ones get a 503.
        forwarded_max: requests that wait for an answer from the leader.
        read_index_batch_max: reads confirmed by one round.
        sweep_max: expired tokens that one turn revokes.
        default_lease_ttl_s: lease of what asks for none, in seconds.
        max_lease_ttl_s: longest lease, in seconds.
    """

    waiting_max: int = 10_000
    forwarded_max: int = 10_000
    read_index_batch_max: int = 1_000
    sweep_max: int = 100
    default_lease_ttl_s: int = 768 * 3600
    max_lease_ttl_s: int = 768 * 3600

    def max_ttl_s(self, explicit_max_ttl_s: int) -> int:
        """Return the longest lease, in seconds, if it has a maximum of its own (0 if not)."""
        return min(self.max_lease_ttl_s, explicit_max_ttl_s or self.max_lease_ttl_s)


class Settings(msgspec.Struct, frozen=True):
    """All of them."""

    raft: RaftSettings = RaftSettings()
    store: StoreSettings = StoreSettings()
    requests: RequestSettings = RequestSettings()

    @property
    def leader_patience_ns(self) -> int:
        """How long a request waits for a leader, or for an answer from it."""
        return 2 * self.raft.election_timeout_max_ns
