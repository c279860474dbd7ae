"""Drives `core` in production: a trio loop, sockets, files, real clocks and entropy.

Owns everything that touches the outside. Must not decide anything that `core` could decide.
"""
