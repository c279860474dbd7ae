"""A mount to test engines on: their real storage, sealed, over a dictionary."""

import hashlib
from bisect import bisect_left
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from core.barrier.barrier import Barrier
from core.barrier.keyring import Keyrings
from core.barrier.storage import Storage
from core.engines.call import Call, Engine, RequestError, Result
from core.request import Operation
from core.store.keys import SCOPE_SHARED
from core.vault import bodies

START_NS = 1_700_000_000 * 10**9
START = "2023-11-14T22:13:20Z"


class HashEntropy:
    """Bytes that repeat from run to run."""

    def __init__(self) -> None:
        self._asked = 0

    def random_bytes(self, count: int) -> bytes:
        self._asked += 1
        return hashlib.shake_128(self._asked.to_bytes(8, "big")).digest(count)


class DictWriter:
    """Ordered keys and values, and how often they were changed."""

    def __init__(self) -> None:
        self.values: dict[bytes, bytes] = {}
        self.writes = 0

    def get(self, key: bytes) -> bytes | None:
        return self.values.get(key)

    def iterate(self, start: bytes, stop: bytes) -> Iterator[tuple[bytes, bytes]]:
        keys = sorted(self.values)
        for key in keys[bisect_left(keys, start) : bisect_left(keys, stop)]:
            yield key, self.values[key]

    def put(self, key: bytes, value: bytes) -> None:
        self.writes += 1
        self.values[key] = value

    def delete(self, key: bytes) -> None:
        self.writes += 1
        self.values.pop(key, None)


class Mount:
    """An engine with its storage and a clock that moves when it is told to."""

    def __init__(
        self, engine: Engine, *, default_lease_ttl_s: int = 0, max_lease_ttl_s: int = 0
    ) -> None:
        self.engine = engine
        self.writer = DictWriter()
        self.entropy = HashEntropy()
        barrier = Barrier(Keyrings.create(self.entropy, START_NS), self.entropy)
        self.storage = Storage(self.writer, barrier, SCOPE_SHARED)
        self.wall_ns = START_NS
        self._default_lease_ttl_s = default_lease_ttl_s
        self._max_lease_ttl_s = max_lease_ttl_s

    def call(self, operation: Operation, path: str, body: object = None, **parameters: str) -> Call:
        """Return the call that a request with this body, as an object or as JSON text, makes."""
        text = body.encode() if isinstance(body, str) else msgspec.json.encode(body or {})
        return Call(
            operation,
            path,
            self.storage,
            self.wall_ns,
            self.entropy,
            body=bodies.decode(text),
            raw=bodies.fields(text),
            parameters=parameters,
            mount="secret/",
            default_lease_ttl_s=self._default_lease_ttl_s,
            max_lease_ttl_s=self._max_lease_ttl_s,
        )

    def ask(
        self, operation: Operation, path: str, body: object = None, **parameters: str
    ) -> Result:
        """Let the engine do it; what the result holds is as a client would decode it."""
        call = self.call(operation, path, body, **parameters)
        may_write = self.engine.may_write(operation, path)
        writes = self.writer.writes
        try:
            result = self.engine.handle(call)
        except RequestError:
            assert self.writer.writes == writes
            raise
        assert may_write or self.writer.writes == writes
        if result.data is not None:
            result.data = msgspec.json.decode(msgspec.json.encode(result.data))
        return result

    def read(self, path: str, **parameters: str) -> dict[str, Any]:
        """Return the data of a read that succeeds."""
        result = self.ask("read", path, **parameters)
        assert result.status == 200
        assert result.data is not None
        return result.data

    def refused(
        self, operation: Operation, path: str, body: object = None, **parameters: str
    ) -> tuple[Any, ...]:
        """Return status and messages of what the engine refuses."""
        with pytest.raises(RequestError) as refusal:
            self.ask(operation, path, body, **parameters)
        return refusal.value.status, *refusal.value.messages
