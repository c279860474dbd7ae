"""What the rooms of a node share as long as a turn lasts.

Owns nothing but the two things themselves. `member` sets them as a turn begins.
"""

from core.effects import Effect
from core.moment import Now


class Turn:
    """The turn under way.

    Attributes:
        now: its time.
        effects: what has come of it so far.
    """

    __slots__ = ("effects", "now")

    def __init__(self, now: Now) -> None:
        self.now = now
        self.effects: list[Effect] = []
