"""A server made ready for load: opened, with a mount, keys, a policy and a token.

Owns the steps, through the API alone. Must not know how the server was started.
"""

from collections.abc import Callable
from typing import Any, Final

from server.bench.loops import Pool, closed_loop
from server.bench.settings import SECONDS_MAX, BenchError
from server.bench.workload import Target, kv_write
from server.client import Client, ClientError, ClientSettings
from server.client_tls import TlsSettings
from server.reason import reason_of

RULES: Final = 20
POLICY: Final = "bench"
AUDIT_DEVICE: Final = "bench"
_TIMEOUT_S: Final = 30.0


def policy_text() -> str:
    """Return a policy of `RULES` rules, the last of which is the one that matters."""
    teams = [
        f'path "secret/data/team{number}/*" {{ capabilities = ["read", "create", "update"] }}'
        for number in range(RULES // 2)
    ]
    paths = [
        f'path "other/{number}" {{ capabilities = ["read"] }}'
        for number in range(RULES - len(teams) - 1)
    ]
    last = 'path "secret/data/*" { capabilities = ["read", "create", "update"] }'
    return "\n".join([*teams, *paths, last])


def client(target: Target, token: str = "") -> Client:
    """Return a client of the API that asks once."""
    tls = TlsSettings(ca_cert=target.ca_file)
    settings = ClientSettings(target.url, token=token, timeout_s=_TIMEOUT_S, retries_max=0, tls=tls)
    return Client(settings)


def initialise(target: Target) -> str:
    """Initialise and unseal a new node with one share; return the root token.

    Raises:
        BenchError: the node refuses.
    """
    with client(target) as asking:
        made = ask(asking, "PUT", "sys/init", {"secret_shares": 1, "secret_threshold": 1})
        ask(asking, "PUT", "sys/unseal", {"key": made["keys"][0]})
    return str(made["root_token"])


def active(target: Target) -> Callable[[], bool | None]:
    """Return a question: whether a node leads its cluster. None is no, for `children.until`."""

    def asked() -> bool | None:
        with client(target) as asking:
            try:
                return bool(asking.request("GET", "sys/leader").body["is_self"]) or None
            except ClientError:
                return None

    return asked


def mount_kv(target: Target, root_token: str) -> None:
    """Mount KV version 2 at `secret/`.

    Raises:
        BenchError: the node refuses.
    """
    with client(target, root_token) as asking:
        ask(asking, "POST", "sys/mounts/secret", {"type": "kv", "options": {"version": "2"}})


def enable_audit(target: Target, root_token: str, file: str) -> None:
    """Enable a file audit device.

    Raises:
        BenchError: the node refuses.
    """
    body = {"type": "file", "options": {"file_path": file}}
    with client(target, root_token) as asking:
        ask(asking, "POST", f"sys/audit/{AUDIT_DEVICE}", body)


def make_token(target: Target, root_token: str) -> str:
    """Make a token that holds the policy of `RULES` rules, and return it.

    Raises:
        BenchError: the node refuses.
    """
    with client(target, root_token) as asking:
        ask(asking, "POST", f"sys/policies/acl/{POLICY}", {"policy": policy_text()})
        made = ask(asking, "POST", "auth/token/create", {"policies": [POLICY]})
    return str(made["auth"]["client_token"])


def fill(target: Target, token: str, keys: int, connections: int) -> int:
    """Write every key once; return how many requests that took.

    Raises:
        BenchError: a write was refused, or they took longer than `SECONDS_MAX`.
    """
    requests = kv_write(token, keys).each_key(target)
    try:
        with Pool(target, connections) as pool:
            tally = closed_loop(pool, requests, SECONDS_MAX)
    except OSError as error:
        raise BenchError(f"the keys cannot be written: {reason_of(error)}") from None
    written = len(tally.latencies_ns) - tally.refused
    if written != keys:
        raise BenchError(f"only {written} of {keys} keys could be written")
    return written


def ask(asking: Client, method: str, path: str, body: object = None) -> dict[str, Any]:
    """Ask once and return the body of the answer.

    Raises:
        BenchError: there is no answer, or a refusal.
    """
    try:
        return asking.request(method, path, body).body
    except ClientError as error:
        raise BenchError(f"{path}: {error}") from None
