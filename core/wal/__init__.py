"""The bytes of the log on disk: frames, segments, checksums, hash chain, recovery.

Owns the format and its rules of recovery. Must not know files: it is handed bytes and says
which bytes to write where.
"""
