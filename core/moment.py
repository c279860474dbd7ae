"""Time as an argument: the only notion of time that `core` has.

Nothing in `core` asks a clock. Each turn of a node is handed one `Now` by its driver.
Units are integer nanoseconds everywhere, so that arithmetic is exact and runs repeat.
"""

from typing import Final

import msgspec

NANOSECONDS_PER_MICROSECOND: Final = 1_000
NANOSECONDS_PER_MILLISECOND: Final = 1_000_000
NANOSECONDS_PER_SECOND: Final = 1_000_000_000

NEVER: Final = 1 << 62
"""A deadline that does not come."""


class Now(msgspec.Struct, frozen=True, gc=False):
    """One reading of both clocks of a node.

    Attributes:
        monotonic_ns: never goes back while the process lives; its zero means nothing.
        wall_ns: nanoseconds since the Unix epoch; may jump either way.
    """

    monotonic_ns: int
    wall_ns: int
