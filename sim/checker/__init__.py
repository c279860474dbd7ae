"""Judges what clients saw.

Owns the history of operations and the rules that it must obey. Must not know the cluster: it is
told what was asked, what was answered and when, and nothing else.
"""
