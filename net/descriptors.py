"""How many files and connections this process may have open.

Owns the share of clients. Without one, clients that only connect could leave none for the log, and
a node that can't open its log has to stop.
"""

import resource
from typing import Final

DESCRIPTORS_MAX: Final = 65_536
"""As far as the limit is raised, if the system lets us."""
RESERVED: Final = 512
"""Not for clients: the log, the base, audit files, peers."""


def for_clients() -> int:
    """Raise the limit as far as allowed; return the first descriptor that no client may have.

    The system hands out the lowest one that is free, so its number says how many are in use.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = DESCRIPTORS_MAX if hard == resource.RLIM_INFINITY else min(hard, DESCRIPTORS_MAX)
    if soft != resource.RLIM_INFINITY and soft < allowed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
        soft = allowed
    usable = DESCRIPTORS_MAX if soft == resource.RLIM_INFINITY else soft
    return usable - min(RESERVED, usable // 2)
