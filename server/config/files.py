"""Finds and reads configuration files; what they mean is for `server.config.reading`."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from core.hcl.tree import TEXT_BYTES_MAX
from server.config.configuration import Configuration
from server.config.reading import Document, read_documents
from server.config.report import ConfigurationError

FILES_MAX: Final = 256
"""Files that one directory may contribute."""

_SUFFIXES: Final = (".hcl", ".json")


def read_files(paths: Iterable[str], environment: Mapping[str, str]) -> Configuration:
    """Return what the files say; a directory stands for its `*.hcl` and `*.json`, by name.

    Raises:
        ConfigurationError: a file cannot be read, or says something wrong.
    """
    try:
        files = [file for path in paths for file in _files(Path(path))]
        documents = [Document(str(file), _text(file)) for file in files]
    except OSError as error:
        raise ConfigurationError([f"{error.filename}: {error.strerror}"]) from error
    return read_documents(documents, environment)


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    files = sorted(file for file in path.iterdir() if file.suffix in _SUFFIXES)
    if not files:
        raise ConfigurationError([f"{path}: there is no *.hcl and no *.json in this directory"])
    if len(files) > FILES_MAX:
        raise ConfigurationError([f"{path}: there are more than {FILES_MAX} files"])
    return files


def _text(file: Path) -> str:
    with file.open("rb") as stream:
        content = stream.read(TEXT_BYTES_MAX + 1)
    if len(content) > TEXT_BYTES_MAX:
        raise ConfigurationError([f"{file}: this is longer than {TEXT_BYTES_MAX} bytes"])
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigurationError([f"{file}:{line}: this is not UTF-8 text"]) from error
