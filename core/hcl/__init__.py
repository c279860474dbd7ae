"""HCL1 and JSON documents, for policies and configuration files.

Owns text -> tree. Must not know what any key means: callers walk the tree and judge it.
"""
