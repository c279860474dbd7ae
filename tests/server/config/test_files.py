"""Which files are read, and what is said about those that cannot be."""

from pathlib import Path

import pytest

from core.hcl.tree import TEXT_BYTES_MAX
from server.config.configuration import InmemStorage
from server.config.files import FILES_MAX, read_files
from server.config.report import ConfigurationError

STORAGE = 'storage "inmem" {}\n'
LISTENER = 'listener "tcp" { tls_disable = true }\n'


def problem(*paths: Path) -> str:
    with pytest.raises(ConfigurationError) as caught:
        read_files(map(str, paths), {})
    (found,) = caught.value.problems
    return found


def test_files_are_merged_in_the_order_given(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(f'{STORAGE}{LISTENER}cluster_name = "a"')
    (tmp_path / "b.txt").write_text('cluster_name = "b"')
    first, second = str(tmp_path / "a.txt"), str(tmp_path / "b.txt")

    assert "b" == read_files([first, second], {}).cluster_name
    assert "a" == read_files([second, first], {}).cluster_name


def test_a_directory_stands_for_its_files_by_name(tmp_path: Path) -> None:
    (tmp_path / "20.hcl").write_text('cluster_name = "20"\nlog_level = "debug"')
    (tmp_path / "10.json").write_text('{"storage": {"inmem": {}}, "cluster_name": "10"}')
    (tmp_path / "30.hcl").write_text(f'{LISTENER}cluster_name = "30"')
    (tmp_path / "40.hcl.bak").write_text("this is not read")

    configuration = read_files([str(tmp_path)], {})

    assert (InmemStorage(), "30", "debug") == (
        configuration.storage,
        configuration.cluster_name,
        configuration.log_level,
    )


def test_the_environment_is_passed_on(tmp_path: Path) -> None:
    (tmp_path / "a.hcl").write_text(STORAGE + LISTENER)

    assert "trace" == read_files([str(tmp_path)], {"VAULT_LOG_LEVEL": "trace"}).log_level


def test_problems_name_the_file(tmp_path: Path) -> None:
    file = tmp_path / "a.hcl"
    file.write_text(f"{STORAGE}{LISTENER}foo = 1")

    assert f"{file}:3: unknown key foo" == problem(tmp_path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    file = tmp_path / "missing.hcl"

    assert f"{file}: No such file or directory" == problem(file)


def test_a_directory_within_a_directory_is_no_file(tmp_path: Path) -> None:
    inner = tmp_path / "a.hcl"
    inner.mkdir()

    assert f"{inner}: Is a directory" == problem(tmp_path)


def test_an_empty_directory(tmp_path: Path) -> None:
    expected = f"{tmp_path}: there is no *.hcl and no *.json in this directory"

    assert expected == problem(tmp_path)


def test_too_many_files(tmp_path: Path) -> None:
    for number in range(FILES_MAX + 1):
        (tmp_path / f"{number}.hcl").touch()

    assert f"{tmp_path}: there are more than 256 files" == problem(tmp_path)


def test_a_file_that_is_too_long(tmp_path: Path) -> None:
    file = tmp_path / "a.hcl"
    file.write_text("#" * TEXT_BYTES_MAX + "#")

    assert f"{file}: this is longer than 1048576 bytes" == problem(file)


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    file = tmp_path / "a.hcl"
    file.write_bytes(b"# \xc3\xa9\n# \xe9\n")

    assert f"{file}:2: this is not UTF-8 text" == problem(file)
