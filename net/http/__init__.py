"""The HTTP side: two lanes, one entry.

Every connection begins in the thin lane, which reads each head of HTTP/1, refuses what breaks the
rules, and takes a strict subset itself. Any other request moves to Hypercorn with the bytes already
read, and the connection comes back after it; a connection of HTTP/2 stays there.
"""
