"""The client's settings: flags first, then `VAULT_*` variables, then what Vault defaults to.

Owns the names of the variables and the precedence. Knows nothing of click or of connections.
"""

from collections.abc import Mapping
from typing import Final

from server.client import ClientSettings, SettingsError
from server.client_tls import TlsSettings

DEFAULT_ADDRESS: Final = "https://127.0.0.1:8200"
DEFAULT_TIMEOUT_S: Final = 60.0
RETRIES_MAX: Final = 100
"""More repetitions than this are not taken from the environment."""

_TRUE: Final = frozenset({"1", "t", "true"})
_FALSE: Final = frozenset({"", "0", "f", "false"})


def client_settings(
    flags: Mapping[str, object], environ: Mapping[str, str], token: str
) -> ClientSettings:
    """Return the settings for a client that acts as `token`.

    Args:
        flags: the flags that were given, by parameter name.
        environ: the environment.
        token: the token to send, or empty.

    Raises:
        SettingsError: a variable or a header is malformed.
    """
    return ClientSettings(
        address=_text(flags, "address", environ, "VAULT_ADDR") or DEFAULT_ADDRESS,
        token=token,
        namespace=_text(flags, "namespace", environ, "VAULT_NAMESPACE"),
        headers=_headers(flags.get("header", ())),
        timeout_s=_timeout_s(environ),
        retries_max=_retries_max(environ),
        tls=_tls_settings(flags, environ),
    )


def _tls_settings(flags: Mapping[str, object], environ: Mapping[str, str]) -> TlsSettings:
    skip_verify = flags.get("tls_skip_verify")
    if skip_verify is None:
        skip_verify = _boolean(environ, "VAULT_SKIP_VERIFY")
    # A flag must win over VAULT_CACERT_BYTES, which else counts before any file.
    file_chosen = "ca_cert" in flags or "ca_path" in flags
    return TlsSettings(
        ca_cert=_text(flags, "ca_cert", environ, "VAULT_CACERT") if "ca_path" not in flags else "",
        ca_cert_pem="" if file_chosen else environ.get("VAULT_CACERT_BYTES", ""),
        ca_path=_text(flags, "ca_path", environ, "VAULT_CAPATH"),
        client_cert=_text(flags, "client_cert", environ, "VAULT_CLIENT_CERT"),
        client_key=_text(flags, "client_key", environ, "VAULT_CLIENT_KEY"),
        server_name=_text(flags, "tls_server_name", environ, "VAULT_TLS_SERVER_NAME"),
        skip_verify=bool(skip_verify),
        names={
            "ca_cert_pem": "VAULT_CACERT_BYTES",
            "ca_cert": _name(flags, "ca_cert", "VAULT_CACERT"),
            "ca_path": _name(flags, "ca_path", "VAULT_CAPATH"),
            "client_cert": _name(flags, "client_cert", "VAULT_CLIENT_CERT"),
            "client_key": _name(flags, "client_key", "VAULT_CLIENT_KEY"),
        },
    )


def _text(flags: Mapping[str, object], flag: str, environ: Mapping[str, str], name: str) -> str:
    value = flags.get(flag)
    return environ.get(name, "") if value is None else str(value)


def _name(flags: Mapping[str, object], flag: str, variable: str) -> str:
    """Return what the user calls a setting: the flag, or the variable if there was none."""
    return variable if flags.get(flag) is None else f"-{flag.replace('_', '-')}"


def _headers(pairs: object) -> dict[str, str]:
    headers = {}
    for pair in pairs if isinstance(pairs, tuple) else ():
        name, equals, value = str(pair).partition("=")
        if not name or not equals:
            raise SettingsError(f"-header must be NAME=VALUE, not {pair!r}")
        headers[name] = value
    return headers


def _boolean(environ: Mapping[str, str], name: str) -> bool:
    text = environ.get(name, "").lower()
    if text not in _TRUE and text not in _FALSE:
        raise SettingsError(f"{name} must be true or false, not {environ[name]!r}")
    return text in _TRUE


def _timeout_s(environ: Mapping[str, str]) -> float:
    text = environ.get("VAULT_CLIENT_TIMEOUT", "")
    if not text:
        return DEFAULT_TIMEOUT_S
    # The import costs a probe a quarter of its time, and few set this.
    from core.moment import NANOSECONDS_PER_SECOND  # noqa: PLC0415 -- as said above
    from core.vault.duration import parse_duration_ns  # noqa: PLC0415 -- as said above

    try:
        timeout_ns = parse_duration_ns(text)
    except ValueError as error:
        raise SettingsError(f"VAULT_CLIENT_TIMEOUT: {error}") from error
    if timeout_ns <= 0:
        raise SettingsError("VAULT_CLIENT_TIMEOUT must be positive")
    return timeout_ns / NANOSECONDS_PER_SECOND


def _retries_max(environ: Mapping[str, str]) -> int:
    text = environ.get("VAULT_MAX_RETRIES", "") or "2"
    if not (text.isascii() and text.isdigit()) or not 0 <= int(text) <= RETRIES_MAX:
        raise SettingsError(f"VAULT_MAX_RETRIES must be 0 to {RETRIES_MAX}, not {text!r}")
    return int(text)
