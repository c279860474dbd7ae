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


class Note(msgspec.Struct, frozen=True):
    """What there is to say of a place."""

    place: Place
    message: str

    def __str__(self) -> str:
        return f"{self.place}: {self.message}"


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
        self._errors: list[Note] = []
        self._warnings: list[Note] = []

    def error(self, place: Place, message: str) -> None:
        """Note what keeps the server from starting."""
        self._errors.append(Note(place, message))

    def warn(self, place: Place, message: str) -> None:
        """Note what deserves attention and does not keep the server from starting."""
        self._warnings.append(Note(place, message))

    def warnings(self) -> tuple[Note, ...]:
        """Return the warnings so far, in the order of the files and their lines."""
        return self._ordered(self._warnings)

    def raise_errors(self) -> None:
        """End here if there has been any error.

        Raises:
            ConfigurationError: with all errors so far.
        """
        if self._errors:
            raise ConfigurationError([str(note) for note in self._ordered(self._errors)])

    def _ordered(self, notes: Sequence[Note]) -> tuple[Note, ...]:
        return tuple(sorted(notes, key=lambda note: self._order(note.place)))

    def _order(self, place: Place) -> tuple[int, int]:
        file = self._files.index(place.name) if place.name in self._files else len(self._files)
        return file, place.line
