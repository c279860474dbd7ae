"""Drives `core` in virtual time: a cluster, its network, disks and clients, faults and checks.

Must not know sockets, files or threads. A run is a function of its seed and its plan.
"""
