"""How the client trusts a server, and who it is itself: from files to one TLS context.

Owns what is read, and what is said of a file that cannot be used. Knows nothing of connections, nor
of where settings come from but the names that users gave them by.
"""

import re
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

CA_FILES_MAX: Final = 1024
"""Files that are read from a directory of certificates."""

_SURROUNDINGS: Final = re.compile(r"^\[[^]]*\] | \(_ssl\.c:[0-9]+\)$")
"""What Python puts around the words of OpenSSL."""


class TlsSettings(NamedTuple):
    """How to trust the server, and who to be.

    Attributes:
        ca_cert: a PEM file of trusted roots, or empty.
        ca_cert_pem: such roots as text, or empty; counts before `ca_cert`.
        ca_path: a directory of such files, or empty; counts last.
        client_cert: a PEM file with the client's certificate chain, or empty.
        client_key: a PEM file with its private key, or empty.
        server_name: the name to ask for and to verify, or empty for the address's host.
        skip_verify: trust any server.
        names: what the user calls each of these, by attribute, for messages.
    """

    ca_cert: str = ""
    ca_cert_pem: str = ""
    ca_path: str = ""
    client_cert: str = ""
    client_key: str = ""
    server_name: str = ""
    skip_verify: bool = False
    names: Mapping[str, str] = {}


class UnusableError(Exception):
    """A file cannot be used; the text says which, what the user calls it, and why."""


def create_context(settings: TlsSettings) -> ssl.SSLContext:
    """Return the context of connections that the client makes.

    Raises:
        UnusableError: a file is missing, or does not hold what it should.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if settings.skip_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    else:
        _trust(context, settings)
    if settings.client_cert:
        _show(context, settings)
    elif settings.client_key:
        names = _name(settings, "client_key"), _name(settings, "client_cert")
        raise UnusableError("{} is nothing without the certificate, {}".format(*names))
    return context


def _trust(context: ssl.SSLContext, settings: TlsSettings) -> None:
    if settings.ca_cert_pem:
        try:
            context.load_verify_locations(cadata=settings.ca_cert_pem)
        except (OSError, TypeError, ValueError) as error:
            name = _name(settings, "ca_cert_pem")
            raise UnusableError(f"{name} holds no certificate: {_reason(error)}") from error
    elif settings.ca_cert:
        _trust_file(context, _name(settings, "ca_cert"), settings.ca_cert)
    elif settings.ca_path:
        name = _name(settings, "ca_path")
        for file in _files_in(name, Path(settings.ca_path)):
            _trust_file(context, name, str(file))
    else:
        context.load_default_certs()


def _trust_file(context: ssl.SSLContext, name: str, file: str) -> None:
    _check_readable(name, file)
    try:
        context.load_verify_locations(cafile=file)
    except OSError as error:
        raise UnusableError(f"{name}: {file} holds no certificate: {_reason(error)}") from error


def _show(context: ssl.SSLContext, settings: TlsSettings) -> None:
    certificate, key = settings.client_cert, settings.client_key
    name = _name(settings, "client_cert")
    _check_readable(name, certificate)
    if key:
        _check_readable(_name(settings, "client_key"), key)
    try:
        context.load_cert_chain(certificate, key or None)
    except OSError as error:
        files = f"{certificate} and {key} are" if key else f"{certificate} is"
        raise UnusableError(
            f"{name}: {files} no certificate with its key: {_reason(error)}"
        ) from error


def _files_in(name: str, directory: Path) -> list[Path]:
    # OpenSSL's own way to read a directory wants hashed file names, which few have.
    try:
        files = sorted(path for path in directory.iterdir() if path.is_file())
    except OSError as error:
        raise UnusableError(f"{name}: {directory} cannot be read: {error.strerror}") from error
    if len(files) > CA_FILES_MAX:
        raise UnusableError(f"{name}: {directory} holds more than {CA_FILES_MAX} files")
    return files


def _check_readable(name: str, file: str) -> None:
    """Find out what is wrong with a file; OpenSSL does not say which one it is."""
    try:
        with Path(file).open("rb"):
            pass
    except OSError as error:
        raise UnusableError(f"{name}: {file} cannot be read: {error.strerror}") from error


def _name(settings: TlsSettings, attribute: str) -> str:
    return settings.names.get(attribute, attribute)


def _reason(error: Exception) -> str:
    return _SURROUNDINGS.sub("", str(error))
