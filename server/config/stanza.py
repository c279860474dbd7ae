"""One stanza of a configuration file, from which typed values are taken by key.

Owns the rules that hold for every key: it is set once, it has its type, and it is known. Which
keys there are is not written down here: a key is known because somebody takes it.
"""

from collections.abc import Callable, Mapping
from typing import Final, TypeVar

import msgspec

from core.hcl.tree import Block, Body, Value
from core.moment import NANOSECONDS_PER_SECOND
from core.vault.duration import format_duration
from server.config import values
from server.config.report import Place, Report
from server.config.values import UnfitError

BLOCKS_MAX: Final = 64
"""Blocks of one name within a stanza, such as listeners."""

_TOO_SHORT: Final = {0: "must not be negative", 1: "must be positive"}
_Result = TypeVar("_Result")


class _Entry(msgspec.Struct, frozen=True):
    place: Place
    value: Value


class _Section(msgspec.Struct, frozen=True):
    file: str
    block: Block

    @property
    def place(self) -> Place:
        return Place(self.file, self.block.line)


class Stanza:
    """Keys and blocks, to be taken one by one; what is left at the end is unknown.

    Attributes:
        place: where it starts.
        label: its label, such as `raft` in `storage "raft"`; empty if it has none.
    """

    def __init__(self, report: Report, place: Place, label: str = "") -> None:
        self.place = place
        self.label = label
        self._report = report
        self._entries: dict[str, _Entry] = {}
        self._sections: list[_Section] = []
        self._taken: set[str] = set()
        self._taken_blocks: set[str] = set()

    def add(self, file: str, body: Body) -> None:
        """Add what `file` says here; it overrides what an earlier file says, but not itself."""
        seen: dict[str, int] = {}
        for item in body.items:
            place = Place(file, item.line)
            if isinstance(item, Block):
                self._sections.append(_Section(file, item))
            elif item.key in seen:
                self._report.error(place, f"{item.key} was already set on line {seen[item.key]}")
            else:
                self._entries[item.key] = _Entry(place, item.value)
                seen[item.key] = item.line

    def override(self, key: str, variable: str, environment: Mapping[str, str]) -> None:
        """Let an environment variable, if there is one that says anything, set `key`."""
        if environment.get(variable):
            self._entries[key] = _Entry(Place(variable), environment[variable])

    def is_set(self, key: str) -> bool:
        """Tell whether `key` is set to anything, fitting or not, but the empty text."""
        return key in self._entries and self._entries[key].value != ""

    def error(self, message: str, key: str = "") -> None:
        """Report a fault of this stanza, at the place of `key` if that is set."""
        self._report.error(self.place_of(key), message)

    def warn(self, message: str, key: str = "") -> None:
        """Report something that deserves attention."""
        self._report.warn(self.place_of(key), message)

    def read(self, key: str, convert: Callable[[Value], _Result], default: _Result) -> _Result:
        """Return the value of `key`, or `default` if it is not set or does not fit."""
        self._taken.add(key)
        entry = self._entries.get(key)
        # Vault takes the empty text for nothing at all, and generated files rely on that.
        if entry is None or entry.value == "":
            return default
        try:
            return convert(entry.value)
        except UnfitError as error:
            self._report.error(entry.place, f"{key} {error}")
            return default

    def required(
        self, key: str, convert: Callable[[Value], _Result], default: _Result, meaning: str
    ) -> _Result:
        """Return the value of `key`, which must be set; `meaning` tells to what."""
        if not self.is_set(key):
            self.error(f"{key} is missing: {meaning}")
        return self.read(key, convert, default)

    def text(self, key: str) -> str:
        """Return a string, empty if it is not set."""
        return self.read(key, values.text, "")

    def boolean(self, key: str, *, default: bool) -> bool:
        """Return true or false."""
        return self.read(key, values.boolean, default)

    def choice(self, key: str, choices: Mapping[str, _Result], default: _Result) -> _Result:
        """Return what one of the words of `choices`, in any case, stands for."""

        def convert(value: Value) -> _Result:
            word = values.text(value).lower()
            if word not in choices:
                raise UnfitError(f"must be one of {', '.join(choices)}, not {value!r}")
            return choices[word]

        return self.read(key, convert, default)

    def integer(self, key: str, *, minimum: int, maximum: int) -> int | None:
        """Return a whole number within bounds, or None if it is not set."""

        def convert(value: Value) -> int | None:
            number = values.integer(value)
            if not minimum <= number <= maximum:
                raise UnfitError(f"must be {minimum} to {maximum}, not {number}")
            return number

        return self.read(key, convert, None)

    def duration_ns(self, key: str, default: int, *, minimum: int = 1) -> int:
        """Return a duration in nanoseconds."""

        def convert(value: Value) -> int:
            nanoseconds = values.duration_ns(value)
            if nanoseconds < minimum:
                least = f"must be at least {format_duration(minimum)}"
                raise UnfitError(_TOO_SHORT.get(minimum, least))
            return nanoseconds

        return self.read(key, convert, default)

    def duration_s(self, key: str, default: int) -> int:
        """Return a duration in whole seconds, at least one."""
        default_ns = default * NANOSECONDS_PER_SECOND
        nanoseconds = self.duration_ns(key, default_ns, minimum=NANOSECONDS_PER_SECOND)
        return nanoseconds // NANOSECONDS_PER_SECOND

    def stanzas(self, key: str, *, labelled: bool) -> list["Stanza"]:
        """Return the blocks of that name, each with the one label or none that it must have."""
        self._taken_blocks.add(key)
        found: list[Stanza] = []
        for section in self._sections:
            block = section.block
            if block.key != key:
                continue
            if len(block.labels) != labelled:
                expected = "exactly one label" if labelled else "no label"
                self._report.error(section.place, f"{key} must have {expected}")
            elif len(found) == BLOCKS_MAX:
                self._report.error(section.place, f"{key} occurs more than {BLOCKS_MAX} times")
                break
            else:
                inner = Stanza(self._report, section.place, "".join(block.labels))
                inner.add(section.file, block.body)
                found.append(inner)
        return found

    def finish(self, lacking: Mapping[str, str]) -> None:
        """Report what nobody has taken.

        Args:
            lacking: keys and blocks that Vault knows and Holdfast lacks, each with what that
                means for the operator; empty if there is nothing to say.
        """
        for key, entry in self._entries.items():
            if key not in self._taken:
                self._report_unknown(key, entry.place, lacking, is_block=False)
        for section in self._sections:
            if section.block.key not in self._taken_blocks:
                self._report_unknown(section.block.key, section.place, lacking, is_block=True)

    def _report_unknown(
        self, key: str, place: Place, lacking: Mapping[str, str], *, is_block: bool
    ) -> None:
        if key in self._taken_blocks:
            self._report.error(place, f"{key} must be a block: {key} {{ ... }}")
        elif is_block and key in self._taken:
            self._report.error(place, f"{key} must be a value: {key} = ...")
        elif key in lacking:
            meaning = f": {lacking[key]}" if lacking[key] else ""
            self._report.warn(place, f"{key} is not available in Holdfast and ignored{meaning}")
        else:
            self._report.error(place, f"unknown key {key}")

    def place_of(self, key: str) -> Place:
        """Return where `key` is set, or where the stanza starts if it is not."""
        return self._entries[key].place if key in self._entries else self.place
