"""Configuration files: what an operator may write, and what a server makes of it.

Owns the keys, their types, defaults and limits, and the messages about them. Must not know how
a server runs: it returns one record, which is complete and valid.
"""
