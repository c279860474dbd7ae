"""One member of a cluster: joins consensus, log, store and vault, one turn at a time.

`member.Node` is the face; `journal` decides what must be durable before what leaves, `serving`
which way each request goes, `executing` what becomes of it here; `upkeep` moves applied writes
down and cuts the log, `custody` holds the seal and the ways into a cluster.
"""
