"""The HTTP side: two lanes, one entry.

Every connection starts in the thin lane, which takes a strict subset of HTTP/1.1, and moves
to Hypercorn with the bytes already read as soon as anything falls outside of that subset.
"""
