"""From a value in a configuration file, or in a variable, to a typed one.

Owns what each type may look like. Must not know keys. Vault is lenient about quotes, and so is
this: `tls_disable = "true"` and `tls_disable = 1` are in use everywhere.
"""

import re
from typing import Final

import msgspec

from core.hcl.tree import Value
from core.vault.duration import parse_duration_ns

PORT_MAX: Final = 65535

_TRUE: Final = frozenset({"true", "t", "1"})
_FALSE: Final = frozenset({"false", "f", "0"})
_INTEGER: Final = re.compile(r"-?[0-9]{1,18}")
_HOST: Final = r"\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+"
_HOST_PORT: Final = re.compile(rf"({_HOST}|):([0-9]{{1,5}})")
_URL: Final = re.compile(rf"(https?)://({_HOST})(?::([0-9]{{1,5}}))?/?")


class UnfitError(Exception):
    """The value does not fit; the message goes on a sentence that starts with the key."""


class HostPort(msgspec.Struct, frozen=True):
    """Where to listen.

    Attributes:
        host: a name or an address, the latter in brackets if it is IPv6; empty: all addresses.
        port: 0 to `PORT_MAX`; 0: any that is free.
    """

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


class Url(msgspec.Struct, frozen=True):
    """Where somebody listens.

    Attributes:
        scheme: `http` or `https`.
        host: as in `HostPort`, not empty.
        port: 1 to `PORT_MAX`, or None for that of the scheme.
    """

    scheme: str
    host: str
    port: int | None

    def __str__(self) -> str:
        return f"{self.scheme}://{self.host}{'' if self.port is None else f':{self.port}'}"


def text(value: Value) -> str:
    """Return a string.

    Raises:
        UnfitError: this is none; so it is with the other functions of this module.
    """
    if not isinstance(value, str):
        raise UnfitError("must be a text in quotes")
    return value


def boolean(value: Value) -> bool:
    """Return true or false, which may be quoted, or 1 and 0."""
    word = str(value).lower() if isinstance(value, str | int) else ""
    if word not in _TRUE and word not in _FALSE:
        raise UnfitError("must be true or false")
    return word in _TRUE


def integer(value: Value) -> int:
    """Return a whole number, which may be quoted."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if not isinstance(value, str) or not _INTEGER.fullmatch(value):
        raise UnfitError("must be a whole number")
    return int(value)


def duration_ns(value: Value) -> int:
    """Return nanoseconds from a number of seconds or a text such as `1h30m`."""
    if not isinstance(value, str | int | float) or value == "":
        raise UnfitError("must be a duration such as 90, 1h30m or 7d")
    try:
        return parse_duration_ns(value)
    except ValueError as error:
        raise UnfitError(f"must be a duration: {error}") from None


def host_port(value: Value) -> HostPort:
    """Return what `host:port`, `[IPv6]:port` or `:port` says."""
    found = _HOST_PORT.fullmatch(text(value))
    if found is None or int(found[2]) > PORT_MAX:
        raise UnfitError(f"must be host:port, not {value!r}")
    return HostPort(found[1], int(found[2]))


def url(value: Value) -> Url:
    """Return what `http://host[:port]` or `https://host[:port]` says."""
    address = text(value)
    if "{{" in address:
        raise UnfitError("must be a plain address: templates are not available in Holdfast")
    found = _URL.fullmatch(address)
    if found is None or (found[3] and not 1 <= int(found[3]) <= PORT_MAX):
        raise UnfitError(f"must be a URL such as https://10.0.0.1:8200, not {address!r}")
    return Url(found[1], found[2], int(found[3]) if found[3] else None)


def peer_url(value: Value) -> Url:
    """Return a URL with a port; peers always speak TLS, whichever scheme is written."""
    address = url(value)
    if address.port is None:
        raise UnfitError(f"must have a port, as in https://10.0.0.1:8201, not {str(address)!r}")
    return Url("https", address.host, address.port)
