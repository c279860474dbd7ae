"""What is wrong with a configuration, each with its place."""

from collections.abc import Sequence

import msgspec


class Place(msgspec.Struct, frozen=True):
    """Where something is said: a line of a file, or an environment variable as a whole.

    Attributes:
        name: of the file, or of the variable.
        line: counted from 1; 0 for a variable.
    """

    name: str
    line: int = 0

    def __str__(self) -> str:
        return f"{self.name}:{self.line}" if self.line else self.name


class ConfigurationError(Exception):
    """The server cannot start from this.

    Attributes:
        problems: `file:line: text` each, in the order of the files and their lines.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class Report:
    """Collects problems, so that an operator sees all of them at once."""

    def __init__(self, files: Sequence[str]) -> None:
        self._files = files
        self._errors: list[tuple[Place, str]] = []
        self._warnings: list[tuple[Place, str]] = []

    def error(self, place: Place, message: str) -> None:
        """Note what keeps the server from starting."""
        self._errors.append((place, message))

    def warn(self, place: Place, message: str) -> None:
        """Note what deserves attention and does not keep the server from starting."""
        self._warnings.append((place, message))

    def warnings(self) -> tuple[str, ...]:
        """Return the warnings so far."""
        return self._lines(self._warnings)

    def raise_errors(self) -> None:
        """End here if there has been any error.

        Raises:
            ConfigurationError: with all errors so far.
        """
        if self._errors:
            raise ConfigurationError(self._lines(self._errors))

    def _lines(self, notes: Sequence[tuple[Place, str]]) -> tuple[str, ...]:
        ordered = sorted(notes, key=lambda note: self._order(note[0]))
        return tuple(f"{place}: {message}" for place, message in ordered)

    def _order(self, place: Place) -> tuple[int, int]:
        file = self._files.index(place.name) if place.name in self._files else len(self._files)
        return file, place.line
