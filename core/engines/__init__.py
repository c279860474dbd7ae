"""Secrets engines: one file each.

An engine owns the paths below its mounts and the records that it keeps there. It must not know
tokens, policies, audit or other mounts.
"""
