"""Records of KV version 2 that are not what they should be."""

import pytest

from core.check import InvariantBroken
from core.engines.kv_v2 import KvV2
from core.engines.kv_v2.record import (
    NEVER,
    VERSION_NUMBER_MAX,
    KeyMetadata,
    VersionMetadata,
    load_configuration,
    load_key,
    save_key,
)
from tests.core.engines.mount import Mount


@pytest.fixture
def mount() -> Mount:
    return Mount(KvV2())


def test_metadata_is_kept_as_it_is(mount: Mount) -> None:
    key = KeyMetadata(1, 2, max_versions=3, cas_required=True, delete_version_after_s=4)
    key.custom = {"a": "b"}
    key.add_version(5, NEVER, kept_max=1)
    key.add_version(6, 7, kept_max=1)
    save_key(mount.storage, "data/app", key)
    assert load_key(mount.storage, "data/app") == key
    assert key.versions() == {2: VersionMetadata(6, 7, destroyed=False)}


def test_a_form_that_is_not_known_breaks_an_invariant(mount: Mount) -> None:
    mount.storage.put("config", b"\x02")
    with pytest.raises(InvariantBroken, match="a mount's configuration has a form"):
        load_configuration(mount.storage)
    mount.storage.put("data/app", b"\x02")
    with pytest.raises(InvariantBroken, match="a secret's metadata has a form"):
        load_key(mount.storage, "data/app")


def test_versions_that_do_not_add_up_break_an_invariant(mount: Mount) -> None:
    save_key(mount.storage, "data/app", KeyMetadata(1, 2, current=1))
    with pytest.raises(InvariantBroken, match="a secret's versions do not add up"):
        load_key(mount.storage, "data/app")


def test_numbers_beyond_the_stores_break_an_invariant() -> None:
    with pytest.raises(InvariantBroken, match="a secret has run out of version numbers"):
        KeyMetadata(1, 2, current=VERSION_NUMBER_MAX).add_version(3, NEVER, 10)
