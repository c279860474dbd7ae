"""Consensus, as in the Raft paper and thesis.

Owns terms, votes, the log in memory, replication, membership, read indices, transfer and the
sending of snapshots. Must not know what an entry means, where it is stored or who asked for it.
"""
