"""The stored token is private, and never half written."""

import stat
from pathlib import Path

import pytest

from server.token_file import TOKEN_BYTES_MAX, read_token, write_token


def test_there_may_be_no_token(home: Path) -> None:
    assert home.is_dir()
    assert "" == read_token()


def test_a_token_comes_back(home: Path) -> None:
    write_token("hvs.one")
    write_token("hvs.two")

    assert "hvs.two" == read_token()
    assert [home / ".vault-token"] == list(home.iterdir())


def test_only_its_owner_may_read_it(home: Path) -> None:
    path = home / ".vault-token"
    path.write_text("hvs.old")
    path.chmod(0o644)

    write_token("hvs.new")

    assert 0o600 == stat.S_IMODE(path.stat().st_mode)


def test_blanks_around_it_do_not_count(home: Path) -> None:
    (home / ".vault-token").write_text("  hvs.one\n")

    assert "hvs.one" == read_token()


def test_a_long_file_is_no_token(home: Path) -> None:
    (home / ".vault-token").write_text("x" * (TOKEN_BYTES_MAX + 1))

    with pytest.raises(ValueError, match="too long"):
        read_token()


def test_a_token_that_cannot_be_written_leaves_the_old_one(home: Path) -> None:
    write_token("hvs.old")

    with pytest.raises(UnicodeEncodeError):
        write_token("ä")

    assert "hvs.old" == read_token()
    assert [home / ".vault-token"] == list(home.iterdir())
