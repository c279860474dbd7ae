"""Free ports, for children that have to be told where to listen.

Owns the questions to the kernel. Must not know who is to listen there.
"""

import socket
from contextlib import ExitStack


def is_free(host: str, port: int) -> bool:
    """Tell whether a server could listen there now, as one does that was just restarted."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError:
            return False
    return True


def free_ports(host: str, count: int) -> list[int]:
    """Return ports that nobody listens on now; they are all different."""
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind((host, 0))
        return [probe.getsockname()[1] for probe in probes]
