"""What is asked under load: requests that differ in their key and their value only.

Owns their text, once as bytes for our own client and once as a Lua script for wrk. The digits of a
key and of a serial number have a fixed width, so that all requests of a workload are equally long.
"""

import base64
import json
from collections.abc import Iterator
from random import Random
from typing import Final

import msgspec

from server.bench.settings import VALUE_BYTES

KEY: Final = "{key}"
SERIAL: Final = "{serial}"
KEY_DIGITS: Final = 7
SERIAL_DIGITS: Final = 12
"""Divisible by four, so that the digits are a valid part of base64, too."""

SERIALS_PER_RUN: Final = 10**8
"""A run counts its values from its number times this, so that no two runs write the same."""

_ZEROS: Final = "0" * SERIAL_DIGITS
_FILLING: Final = "x" * (VALUE_BYTES - SERIAL_DIGITS)
_DIGITS_DECODED: Final = SERIAL_DIGITS // 4 * 3
_FILLING_ENCODED: Final = base64.b64encode(b"x" * (VALUE_BYTES - _DIGITS_DECODED)).decode()


class Target(msgspec.Struct, frozen=True):
    """A server on this machine.

    Attributes:
        host: an IP address.
        port: TCP.
        ca_file: PEM of who has issued its certificate; empty: plain HTTP.
    """

    host: str
    port: int
    ca_file: str = ""

    @property
    def url(self) -> str:
        """Return the URL without a path."""
        return f"{'https' if self.ca_file else 'http'}://{self.host}:{self.port}"


class Workload(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of request.

    Attributes:
        method: of HTTP.
        path: with `{key}` where the number of a random key goes.
        keys: how many keys there are.
        headers: further ones.
        body: with `{key}` and `{serial}`; the latter makes each body unique.
    """

    method: str
    path: str
    keys: int = 1
    headers: dict[str, str] = {}
    body: str = ""

    def random_requests(self, target: Target, run: int) -> Iterator[bytes]:
        """Yield requests for random keys without end; equal for equal numbers of the run."""
        template = self._template(target)
        digits = [b"%0*d" % (KEY_DIGITS, key) for key in range(self.keys)]
        random = Random(run).random  # noqa: S311 -- load, not secrets
        serial = run * SERIALS_PER_RUN
        while True:
            serial += 1
            key = digits[int(random() * self.keys)]
            yield template % {b"key": key, b"serial": b"%0*d" % (SERIAL_DIGITS, serial)}

    def each_key(self, target: Target) -> Iterator[bytes]:
        """Yield one request for every key in order."""
        template = self._template(target)
        for key in range(self.keys):
            yield template % {
                b"key": b"%0*d" % (KEY_DIGITS, key),
                b"serial": b"%0*d" % (SERIAL_DIGITS, key),
            }

    def request(self, target: Target, key: int) -> bytes:
        """Return the request for one key, whose number is its serial number, too."""
        digits = {b"key": b"%0*d" % (KEY_DIGITS, key), b"serial": b"%0*d" % (SERIAL_DIGITS, key)}
        return self._template(target) % digits

    def _template(self, target: Target) -> bytes:
        """Return a whole request with `%(key)b` and `%(serial)b` in it."""
        headers = {"Host": f"{target.host}:{target.port}", **self.headers}
        if self.body:
            width = len(self.body.replace(KEY, "0" * KEY_DIGITS).replace(SERIAL, _ZEROS))
            headers["Content-Length"] = str(width)
        lines = [f"{self.method} {self.path} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        text = "\r\n".join([*lines, "", self.body]).replace("%", "%%")
        return text.replace(KEY, "%(key)b").replace(SERIAL, "%(serial)b").encode("ascii")

    def lua(self, run: int) -> str:
        """Return the script that makes wrk send what `random_requests` yields, in another order."""
        headers = "".join(
            f"wrk.headers[{_quoted(name)}] = {_quoted(value)}\n"
            for name, value in self.headers.items()
        )
        body = _expression(self.body) if self.body else "nil"
        return (
            f"{headers}math.randomseed({run})\n"
            f"local serial = {run * SERIALS_PER_RUN}\n"
            "request = function()\n"
            "  serial = serial + 1\n"
            f'  local key = string.format("%0{KEY_DIGITS}d", math.random(0, {self.keys - 1}))\n'
            f'  local digits = string.format("%0{SERIAL_DIGITS}d", serial)\n'
            f"  return wrk.format({_quoted(self.method)}, {_expression(self.path)}, nil, {body})\n"
            "end\n"
        )


def _quoted(text: str) -> str:
    """Return a Lua string; of ASCII text both languages escape the same characters alike."""
    return json.dumps(text)


def _expression(template: str) -> str:
    """Return the Lua expression that fills a template in."""
    filled = _quoted(template).replace(KEY, '" .. key .. "')
    return filled.replace(SERIAL, '" .. digits .. "')


def kv_read(token: str, keys: int, prefix: str = "k") -> Workload:
    """Return reads of KV version 2 secrets, whose names are a prefix and a number."""
    headers = {"X-Vault-Token": token}
    path = f"/v1/secret/data/{prefix}{KEY}"
    return Workload(method="GET", path=path, keys=keys, headers=headers)


def kv_write(token: str, keys: int, prefix: str = "k") -> Workload:
    """Return writes of new versions of KV version 2 secrets, named as by `kv_read`."""
    return Workload(
        method="POST",
        path=f"/v1/secret/data/{prefix}{KEY}",
        keys=keys,
        headers={"X-Vault-Token": token},
        body=f'{{"data":{{"value":"{SERIAL}{_FILLING}"}}}}',
    )


def etcd_put(keys: int) -> Workload:
    """Return writes through etcd's JSON gateway, of keys and values in base64."""
    return Workload(
        method="POST",
        path="/v3/kv/put",
        keys=keys,
        body=f'{{"key":"k{KEY}","value":"{SERIAL}{_FILLING_ENCODED}"}}',
    )
