"""Benchmarks: each takes figures from real processes on this machine, beside a peer where it can.

Owns how a figure is taken: who is started, who loads whom for how long, what limited, and what is
said about it. Must not know the command line, nor reach into a running server: all goes through
the HTTP API, files and `/proc`.
"""
