"""Lines to paste into a shell, read by one."""

import subprocess

from server.shell import export_lines


def test_variables_are_set_to_what_was_meant() -> None:
    variables = {"VAULT_CACERT": "/home/o'brien/$HOME `x`/ca.pem", "VAULT_ADDR": "https://a:1"}
    lines = export_lines(variables).replace("$ export", "export")

    script = f'{lines}\nprintf \'%s|%s\' "$VAULT_CACERT" "$VAULT_ADDR"'
    said = subprocess.run(("sh", "-c", script), capture_output=True, text=True, check=True).stdout

    assert "|".join(variables.values()) == said


def test_lines_look_as_vault_users_know_them() -> None:
    assert "    $ export VAULT_ADDR='https://127.0.0.1:8200'" == export_lines(
        {"VAULT_ADDR": "https://127.0.0.1:8200"}
    )
