"""Any sequence of requests is answered as a plain model of KV version 2 answers it."""

from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from core.engines.call import RequestError
from core.engines.kv_v2 import KvV2
from core.request import Operation
from tests.core.engines.kv_v2.model import Model, Outcome
from tests.core.engines.mount import START_NS, Mount

SECOND = 10**9

PATHS = st.sampled_from(["app", "app", "db"])
DATA = st.dictionaries(st.sampled_from("abc"), st.integers(0, 3), max_size=3)
CHANGES = st.dictionaries(st.sampled_from("abc"), st.none() | st.integers(0, 3), max_size=3)
NUMBERS = st.integers(0, 5)
VERSIONS = st.lists(NUMBERS, min_size=1, max_size=6)
NOTES = st.dictionaries(st.sampled_from("xy"), st.sampled_from("12"), max_size=2)
CHANGED_NOTES = st.dictionaries(st.sampled_from("xy"), st.none() | st.just("3"), max_size=2)
SETTINGS = {
    "cas_required": st.booleans(),
    "delete_version_after": st.sampled_from([0, 2, 4]),
    "max_versions": st.integers(0, 4),
}
# How far the named version is from the latest; most writes should come through.
CAS = st.none() | st.sampled_from([0, 0, 0, 1, -1])


class Comparison(RuleBasedStateMachine):
    """The engine and the model side by side."""

    def __init__(self) -> None:
        super().__init__()
        self.mount = Mount(KvV2())
        self.model = Model(START_NS // SECOND)

    def outcome(
        self, operation: Operation, path: str, body: object = None, **parameters: str
    ) -> Outcome:
        try:
            result = self.mount.ask(operation, path, body, **parameters)
        except RequestError as refusal:
            return refusal.status, refusal.messages
        return result.status, result.warnings or result.data

    def cas(self, path: str, distance: int | None) -> int | None:
        if distance is None:
            return None
        secret = self.model.secrets.get(path)
        return (secret["current"] if secret else 0) + distance

    @rule(seconds=st.integers(0, 1))
    def wait(self, seconds: int) -> None:
        self.mount.wall_ns += seconds * SECOND
        self.model.second += seconds

    @rule(path=PATHS, count=st.integers(1, 4))
    def write_some(self, path: str, count: int) -> None:
        for number in range(count):
            self.write(path, {"a": number}, distance=0)

    @rule(path=PATHS, data=DATA, distance=CAS)
    def write(self, path: str, data: dict[str, Any], distance: int | None) -> None:
        cas = self.cas(path, distance)
        body = {"data": data} if cas is None else {"data": data, "options": {"cas": cas}}
        outcome = self.outcome("update", "data/" + path, body)
        assert outcome == self.model.write(path, data, cas)

    @rule(path=PATHS, changes=CHANGES, distance=CAS)
    def patch(self, path: str, changes: dict[str, Any], distance: int | None) -> None:
        cas = self.cas(path, distance)
        body = {"data": changes} if cas is None else {"data": changes, "options": {"cas": cas}}
        outcome = self.outcome("patch", "data/" + path, body)
        assert outcome == self.model.patch(path, changes, cas)

    @rule(path=PATHS, number=NUMBERS)
    def read(self, path: str, number: int) -> None:
        outcome = self.outcome("read", "data/" + path, version=str(number))
        assert outcome == self.model.read(path, number)

    @rule(path=PATHS, number=NUMBERS)
    def read_subkeys(self, path: str, number: int) -> None:
        outcome = self.outcome("read", "subkeys/" + path, version=str(number))
        assert outcome == self.model.read(path, number, "subkeys")

    @rule(path=PATHS)
    def delete_latest(self, path: str) -> None:
        assert self.outcome("delete", "data/" + path) == self.model.delete_latest(path)

    @rule(path=PATHS, numbers=VERSIONS)
    def delete(self, path: str, numbers: list[int]) -> None:
        outcome = self.outcome("update", "delete/" + path, {"versions": numbers})
        assert outcome == self.model.delete(path, numbers)

    @rule(path=PATHS, numbers=VERSIONS)
    def undelete(self, path: str, numbers: list[int]) -> None:
        outcome = self.outcome("update", "undelete/" + path, {"versions": numbers})
        assert outcome == self.model.undelete(path, numbers)

    @rule(path=PATHS, numbers=VERSIONS)
    def destroy(self, path: str, numbers: list[int]) -> None:
        outcome = self.outcome("update", "destroy/" + path, {"versions": numbers})
        assert outcome == self.model.destroy(path, numbers)

    @rule(
        path=PATHS,
        settings=st.fixed_dictionaries({}, optional={**SETTINGS, "custom_metadata": NOTES}),
    )
    def write_metadata(self, path: str, settings: dict[str, Any]) -> None:
        outcome = self.outcome("update", "metadata/" + path, settings)
        assert outcome == self.model.change(path, settings, patch=False)

    @rule(
        path=PATHS,
        settings=st.fixed_dictionaries(
            {}, optional={**SETTINGS, "custom_metadata": st.none() | CHANGED_NOTES}
        ),
    )
    def patch_metadata(self, path: str, settings: dict[str, Any]) -> None:
        outcome = self.outcome("patch", "metadata/" + path, settings)
        assert outcome == self.model.change(path, settings, patch=True)

    @rule(path=PATHS)
    def delete_metadata(self, path: str) -> None:
        assert self.outcome("delete", "metadata/" + path) == self.model.delete_metadata(path)

    @rule(
        settings=st.fixed_dictionaries(
            {}, optional={**SETTINGS, "delete_version_after": st.sampled_from([-2, 0, 3])}
        )
    )
    def configure(self, settings: dict[str, Any]) -> None:
        assert self.outcome("update", "config", settings) == self.model.configure(settings)

    @invariant()
    def metadata_is_the_same(self) -> None:
        for path in ("app", "db"):
            assert self.outcome("read", "metadata/" + path) == self.model.read_metadata(path)
            exists = self.mount.engine.exists(self.mount.call("update", "data/" + path))
            assert exists == (path in self.model.secrets)
        assert self.outcome("list", "metadata/") == self.model.names()

    @invariant()
    def nothing_is_left_behind(self) -> None:
        configured = self.mount.storage.get("config") is not None
        assert len(self.mount.writer.values) == self.model.stored() + configured


TestComparison = pytest.mark.slow(Comparison.TestCase)
