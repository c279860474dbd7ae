"""The table of paths that need `sudo`."""

import pytest

from core.vault.root_protected import ROOT_PROTECTED, needs_sudo


@pytest.mark.parametrize("pattern", ROOT_PROTECTED)
def test_each_row_protects_its_path(pattern: str) -> None:
    path = pattern.removesuffix("*")

    assert needs_sudo(path)
    assert pattern.endswith("*") == needs_sudo(f"{path}x")


@pytest.mark.parametrize(
    "path",
    ["auth/token/accessors/", "sys/auth/userpass", "sys/auth/userpass/tune", "sys/raw/core/x"],
)
def test_a_star_takes_in_what_is_below(path: str) -> None:
    assert needs_sudo(path)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "auth/token/create",
        "auth/token/lookup-accessor",
        "auth/userpass/accessors/",
        "secret/sys/seal",
        "sys",
        "sys/",
        "sys/auth",
        "sys/audit-hash/file",
        "sys/leases/lookup",
        "sys/leases/renew",
        "sys/mounts/secret",
        "sys/rotate/config",
        "sys/seal-status",
    ],
)
def test_all_else_is_open(path: str) -> None:
    assert not needs_sudo(path)
