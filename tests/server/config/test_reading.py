"""Every key of a configuration, every default, and every complaint."""

import re
from pathlib import Path

import pytest

from server.config import vault_keys
from server.config.configuration import (
    Configuration,
    InmemStorage,
    Listener,
    RaftStorage,
    RetryJoin,
)
from server.config.reading import Document, read_documents
from server.config.report import ConfigurationError

SECOND = 1_000_000_000
RAFT = 'storage "raft" { path = "/d" }\ndisable_mlock = true\n'
JOIN = 'retry_join { leader_api_addr = "http://a"'
NO_DURATION = "'True' is not a duration such as 90, 1h30m or 7d"
LEVELS = "trace, debug, info, notice, warn, warning, error, err"
LISTENER = 'listener "tcp" { address = "10.0.0.1:8200" tls_disable = true }\n'
DOCUMENTATION = Path(__file__).parents[3] / "docs" / "configuration.md"


EVERY_KEY = """api_addr = "https://vault.example.com/"
cluster_addr = "http://10.0.0.1:9201"
cluster_name = "production"
log_level = "Warning"
log_format = "json"
disable_mlock = "false"
default_lease_ttl = "1h"
max_lease_ttl = 7200
pid_file = "/run/holdfast.pid"
storage "raft" {
  path = "/d"
  node_id = "one"
  performance_multiplier = "2"
  retry_join {
    leader_api_addr = "https://a:8200/"
    leader_ca_cert_file = "/ca"
    leader_client_cert_file = "/c"
    leader_client_key_file = "/k"
    leader_tls_servername = "a.example.com"
  }
  retry_join {
    leader_api_addr = "https://b:8200"
    leader_ca_cert = "PEM"
  }
}
listener "tcp" {
  address = "0.0.0.0:9200"
  cluster_address = "10.0.0.1:9201"
  tls_cert_file = "/tc"
  tls_key_file = "/tk"
  tls_min_version = "tls13"
  tls_require_and_verify_client_cert = true
  tls_client_ca_file = "/tca"
  http_idle_timeout = "1m"
  http_read_header_timeout = "1s"
  http_read_timeout = "1500ms"
  http_write_timeout = 5
  max_request_size = 1024
  max_request_duration = "2m"
}
"""


def read(*texts: str, **environment: str) -> Configuration:
    documents = [Document(f"{number}.hcl", text) for number, text in enumerate(texts, 1)]
    return read_documents(documents, environment)


def warnings(*texts: str) -> list[str]:
    return [str(warning) for warning in read(*texts).warnings]


def problems(*texts: str, **environment: str) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        read(*texts, **environment)
    assert "\n".join(caught.value.problems) == str(caught.value)
    return list(caught.value.problems)


def listener(keys: str) -> Listener:
    return read(f'storage "inmem" {{}} listener "tcp" {{ {keys} }}').listeners[0]


def listener_problem(keys: str) -> str:
    (problem,) = problems(f'storage "inmem" {{}} listener "tcp" {{\n{keys} }}')
    return problem


def raft(keys: str) -> RaftStorage:
    text = f'storage "raft" {{ path = "/d"\n{keys} }} disable_mlock = true {LISTENER}'
    storage = read(text).storage
    assert isinstance(storage, RaftStorage)
    return storage


def raft_problem(keys: str) -> str:
    text = f'storage "raft" {{ path = "/d"\n{keys} }} disable_mlock = true {LISTENER}'
    (problem,) = problems(text)
    return problem


def test_the_least_that_a_server_needs() -> None:
    assert Configuration(
        storage=RaftStorage(path="/d"),
        listeners=(
            Listener(address="10.0.0.1:8200", cluster_address="10.0.0.1:8201", tls_disable=True),
        ),
        api_addr="http://10.0.0.1:8200",
        cluster_addr="https://10.0.0.1:8201",
    ) == read(RAFT + LISTENER)


def test_every_key_at_once() -> None:
    assert Configuration(
        storage=RaftStorage(
            path="/d",
            node_id="one",
            performance_multiplier=2,
            retry_join=(
                RetryJoin(
                    leader_api_addr="https://a:8200",
                    leader_ca_cert_file="/ca",
                    leader_client_cert_file="/c",
                    leader_client_key_file="/k",
                    leader_tls_servername="a.example.com",
                ),
                RetryJoin(leader_api_addr="https://b:8200", leader_ca_cert="PEM"),
            ),
        ),
        listeners=(
            Listener(
                address="0.0.0.0:9200",
                cluster_address="10.0.0.1:9201",
                tls_cert_file="/tc",
                tls_key_file="/tk",
                tls_min_version="tls13",
                client_certificates="required",
                tls_client_ca_file="/tca",
                http_idle_timeout_ns=60 * SECOND,
                http_read_header_timeout_ns=SECOND,
                http_read_timeout_ns=3 * SECOND // 2,
                http_write_timeout_ns=5 * SECOND,
                max_request_size=1024,
                max_request_duration_ns=120 * SECOND,
                places={
                    "tls_cert_file": "1.hcl:29",
                    "tls_key_file": "1.hcl:30",
                    "tls_client_ca_file": "1.hcl:33",
                },
            ),
        ),
        api_addr="https://vault.example.com",
        cluster_addr="https://10.0.0.1:9201",
        cluster_name="production",
        log_level="warn",
        log_format="json",
        disable_mlock=False,
        default_lease_ttl_s=3600,
        max_lease_ttl_s=7200,
        pid_file="/run/holdfast.pid",
    ) == read(EVERY_KEY)


def test_json_says_the_same() -> None:
    text = """{
      "storage": {"raft": {"path": "/d", "retry_join": [
        {"leader_api_addr": "https://a:8200"}, {"leader_api_addr": "https://b:8200"}]}},
      "disable_mlock": true,
      "listener": [{"tcp": {"address": "10.0.0.1:8200", "tls_disable": 1}},
                   {"tcp": {"address": "10.0.0.1:8300", "tls_disable": "true"}}]
    }"""
    configuration = read(text)

    assert isinstance(configuration.storage, RaftStorage)
    assert ["https://a:8200", "https://b:8200"] == [
        join.leader_api_addr for join in configuration.storage.retry_join
    ]
    assert ["10.0.0.1:8200", "10.0.0.1:8300"] == [each.address for each in configuration.listeners]


def test_storage_in_memory_needs_nothing() -> None:
    configuration = read('storage "inmem" {} listener "tcp" { tls_disable = true }')

    assert InmemStorage() == configuration.storage
    assert "http://127.0.0.1:8200" == configuration.api_addr
    assert "https://127.0.0.1:8201" == configuration.cluster_addr
    assert () == configuration.warnings


@pytest.mark.parametrize(
    ("keys", "address", "cluster_address"),
    [
        ("", "127.0.0.1:8200", "127.0.0.1:8201"),
        ('address = "[::1]:9000"', "[::1]:9000", "[::1]:9001"),
        ('address = "a:0"', "a:0", "a:0"),
        ('address = "a:1" cluster_address = "b:9"', "a:1", "b:9"),
    ],
)
def test_peers_connect_one_port_above_by_default(
    keys: str, address: str, cluster_address: str
) -> None:
    found = listener(f"tls_disable = true {keys}")

    assert (address, cluster_address) == (found.address, found.cluster_address)


@pytest.mark.parametrize(
    ("address", "api_addr", "cluster_addr"),
    [
        (":8200", "http://127.0.0.1:8200", "https://127.0.0.1:8201"),
        ("0.0.0.0:8200", "http://127.0.0.1:8200", "https://127.0.0.1:8201"),
        ("[::]:8200", "http://[::1]:8200", "https://[::1]:8201"),
        ("127.0.0.1:0", "http://127.0.0.1:0", "https://127.0.0.1:0"),
    ],
)
def test_without_peers_an_open_address_becomes_the_local_one(
    address: str, api_addr: str, cluster_addr: str
) -> None:
    text = f'listener "tcp" {{ address = "{address}" tls_disable = true }}'
    configuration = read(f'storage "inmem" {{}} {text}')

    assert (api_addr, cluster_addr) == (configuration.api_addr, configuration.cluster_addr)


def test_the_cluster_address_follows_from_what_is_known() -> None:
    text = f'{RAFT} api_addr = "https://vault.example.com" {LISTENER}'

    assert "https://vault.example.com:8201" == read(text).cluster_addr


def test_other_nodes_must_know_where_to_call() -> None:
    open_listener = 'listener "tcp" { address = "0.0.0.0:8200" tls_disable = true }'
    any_port = 'listener "tcp" { address = "10.0.0.1:0" tls_disable = true }'
    complaint = "1.hcl:1: {} is missing: no other node can call {}"

    assert [complaint.format("api_addr", "0.0.0.0:8200")] == problems(RAFT + open_listener)
    assert [
        complaint.format("api_addr", "10.0.0.1:0"),
        complaint.format("cluster_addr", "10.0.0.1:0"),
    ] == problems(RAFT + any_port)
    assert (
        "https://10.0.0.1:8201"
        == read(
            f'{RAFT} {any_port} api_addr = "http://a:1" cluster_addr = "https://10.0.0.1:8201"'
        ).cluster_addr
    )


@pytest.mark.parametrize(
    ("word", "level"),
    [("trace", "trace"), ("DEBUG", "debug"), ("notice", "info"), ("err", "error"), ("", "info")],
)
def test_levels_of_the_log(word: str, level: str) -> None:
    assert level == read(f'{RAFT} {LISTENER} log_level = "{word}"').log_level


def test_tls_is_the_default_and_needs_its_files() -> None:
    meaning = "a file in PEM, unless tls_disable = true asks for plain HTTP"

    assert [
        f"1.hcl:1: tls_cert_file is missing: {meaning}",
        f"1.hcl:1: tls_key_file is missing: {meaning}",
    ] == problems('storage "inmem" {} listener "tcp" {}')
    tls = 'tls_cert_file = "/c" tls_key_file = "/k"'
    assert (
        "https://127.0.0.1:8200"
        == read(f'storage "inmem" {{}} listener "tcp" {{ {tls} }}').api_addr
    )


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ("", "requested"),
        ("tls_disable_client_certs = true", "ignored"),
        ('tls_require_and_verify_client_cert = true tls_client_ca_file = "/a"', "required"),
    ],
)
def test_what_clients_must_show(keys: str, expected: str) -> None:
    tls = 'tls_cert_file = "/c" tls_key_file = "/k"'

    assert expected == listener(f"{tls} {keys}").client_certificates


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ("tls_require_and_verify_client_cert = 1", "{} needs tls_client_ca_file"),
        (
            "tls_require_and_verify_client_cert = 1 tls_disable_client_certs = 1",
            "{} and tls_disable_client_certs exclude each other",
        ),
    ],
)
def test_what_clients_cannot_be_asked_for(keys: str, message: str) -> None:
    tls = 'tls_cert_file = "/c" tls_key_file = "/k"'
    expected = message.format("1.hcl:2: tls_require_and_verify_client_cert")

    assert expected == listener_problem(f"{keys} {tls}")


def test_certificates_cannot_be_demanded_without_tls() -> None:
    assert (
        "1.hcl:2: tls_require_and_verify_client_cert and tls_disable exclude each other"
        == listener_problem("tls_require_and_verify_client_cert = 1 tls_disable = true")
    )


def test_authorities_that_verify_nothing_are_pointed_out() -> None:
    keys = 'tls_disable = true\ntls_client_ca_file = "/a"'
    text = f'storage "inmem" {{}} listener "tcp" {{ {keys} }}'

    assert [
        "1.hcl:2: tls_client_ca_file has no effect without tls_require_and_verify_client_cert",
    ] == warnings(text)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ("address = 1", "address must be a text in quotes"),
        ('address = "a"', "address must be host:port, not 'a'"),
        (
            'address = "a:1" cluster_address = "a:1"',
            "cluster_address must not be the same as address",
        ),
        ('tls_min_version = "tls11"', "tls_min_version must be one of tls12, tls13, not 'tls11'"),
        ("tls_min_version = 12", "tls_min_version must be a text in quotes"),
        ("http_idle_timeout = 0", "http_idle_timeout must be positive"),
        ("http_read_header_timeout = -1", "http_read_header_timeout must be positive"),
        ('http_read_timeout = "0s"', "http_read_timeout must be positive"),
        ("http_write_timeout = -1", "http_write_timeout must not be negative"),
        ("max_request_duration = 0", "max_request_duration must be positive"),
        (
            "http_idle_timeout = true",
            f"http_idle_timeout must be a duration: {NO_DURATION}",
        ),
        ("max_request_size = 0", "max_request_size must be 1 to 268435456, not 0"),
        ("max_request_size = -1", "max_request_size must be 1 to 268435456, not -1"),
        ("max_request_size = 268435457", "max_request_size must be 1 to 268435456, not 268435457"),
        ('max_request_size = "1k"', "max_request_size must be a whole number"),
        ("unknown = 1", "unknown key unknown"),
        ("unknown {}", "unknown key unknown"),
        ("path = 1", "unknown key path"),
        ("address {}", "address must be a value: address = ..."),
    ],
)
def test_what_a_listener_cannot_have(keys: str, message: str) -> None:
    assert f"1.hcl:2: {message}" == listener_problem(f"{keys} tls_disable = true")


def test_the_kind_of_a_boolean_is_checked() -> None:
    keys = 'tls_cert_file = "/c" tls_key_file = "/k" tls_disable = "maybe"'

    assert "1.hcl:2: tls_disable must be true or false" == listener_problem(keys)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ("node_id = 1", "node_id must be a text in quotes"),
        ("performance_multiplier = 11", "performance_multiplier must be 0 to 10, not 11"),
        ("performance_multiplier = -1", "performance_multiplier must be 0 to 10, not -1"),
        ("performance_multiplier = 1.5", "performance_multiplier must be a whole number"),
        ("retry_join = 1", "retry_join must be a block: retry_join { ... }"),
        (
            'retry_join "a" { leader_api_addr = "https://a:1" }',
            "retry_join must have no label",
        ),
        ("retry_join {}", "leader_api_addr is missing: where to ask"),
        ('retry_join { leader_api_addr = "" }', "leader_api_addr is missing: where to ask"),
        (
            'retry_join { leader_api_addr = "a" }',
            "leader_api_addr must be a URL such as https://10.0.0.1:8200, not 'a'",
        ),
        (
            f'{JOIN} leader_ca_cert = "1" leader_ca_cert_file = "2" }}',
            "leader_ca_cert and leader_ca_cert_file exclude each other",
        ),
        (
            f'{JOIN} leader_client_cert_file = "1" }}',
            "leader_client_cert_file and leader_client_key_file need each other",
        ),
        (
            f'{JOIN} leader_client_key_file = "1" }}',
            "leader_client_cert_file and leader_client_key_file need each other",
        ),
        (f"{JOIN} x = 1 }}", "unknown key x"),
        ("unknown = 1", "unknown key unknown"),
        ('path = "/e"', "path was already set on line 1"),
    ],
)
def test_what_storage_cannot_have(keys: str, message: str) -> None:
    assert f"1.hcl:2: {message}" == raft_problem(keys)


@pytest.mark.parametrize("multiplier", [0, 1, 10])
def test_patience_is_kept_as_it_is_written(multiplier: int) -> None:
    storage = raft(f"performance_multiplier = {multiplier}")

    assert multiplier == storage.performance_multiplier


def test_the_number_of_blocks_is_bounded() -> None:
    one = 'retry_join { leader_api_addr = "http://a" }\n'

    assert 64 == len(raft(one * 64).retry_join)
    (problem,) = problems(f'storage "raft" {{\n{one * 66} path = "/d" }} {LISTENER}')
    assert "1.hcl:66: retry_join occurs more than 64 times" == problem


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ['1.hcl:1: storage is missing: write storage "raft" { ... } or storage "inmem" {}']),
        ('storage "inmem" { a = 1 }', ["1.hcl:1: unknown key a"]),
        ('storage "inmem" {}\nstorage "inmem" {}', ["1.hcl:2: a file can have only one storage"]),
        (
            'storage "file" { path = "/d" }',
            ['1.hcl:1: storage "file" is not available in Holdfast, only raft and inmem'],
        ),
        (
            'storage "raft" {}\ndisable_mlock = true',
            ["1.hcl:1: path is missing: the directory for the data of this node"],
        ),
        (
            'storage "a" "b" {}',
            [
                "1.hcl:1: storage must have exactly one label",
                '1.hcl:1: storage is missing: write storage "raft" { ... } or storage "inmem" {}',
            ],
        ),
    ],
)
def test_which_storage_there_is(text: str, expected: list[str]) -> None:
    assert expected == problems(f"{text}\n{LISTENER}")


def test_a_listener_is_needed() -> None:
    missing = '1.hcl:1: a listener is missing: write listener "tcp" { ... }'

    assert [missing] == problems('storage "inmem" {}')
    assert [missing, "1.hcl:2: listener must be a block: listener { ... }"] == problems(
        'storage "inmem" {}\nlistener = 1'
    )
    assert [missing, '1.hcl:2: listener "udp" is unknown, only tcp is available'] == problems(
        'storage "inmem" {}\nlistener "udp" {}'
    )
    assert [missing] == problems('storage "inmem" {}\nlistener "unix" {}')


def test_a_socket_of_the_machine_is_ignored_beside_a_listener() -> None:
    text = 'storage "inmem" {} listener "tcp" { tls_disable = true }\nlistener "unix" {}'

    assert ['1.hcl:2: listener "unix" is not available in Holdfast and ignored'] == warnings(text)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ("api_addr = 1", "api_addr must be a text in quotes"),
        ('api_addr = "a"', "api_addr must be a URL such as https://10.0.0.1:8200, not 'a'"),
        (
            'cluster_addr = "https://a"',
            "cluster_addr must have a port, as in https://10.0.0.1:8201, not 'https://a'",
        ),
        ('log_format = "xml"', "log_format must be one of standard, json, not 'xml'"),
        ("cluster_name = true", "cluster_name must be a text in quotes"),
        ("pid_file = []", "pid_file must be a text in quotes"),
        ("default_lease_ttl = 0", "default_lease_ttl must be at least 1s"),
        ('max_lease_ttl = "500ms"', "max_lease_ttl must be at least 1s"),
        ('default_lease_ttl = "769h"', "default_lease_ttl must not be longer than max_lease_ttl"),
        ('max_lease_ttl = "1h"', "default_lease_ttl must not be longer than max_lease_ttl"),
        ("foo = 1", "unknown key foo"),
        ("foo {}", "unknown key foo"),
        ("storage = 1", "storage must be a block: storage { ... }"),
    ],
)
def test_what_a_file_cannot_have(keys: str, message: str) -> None:
    assert [f"1.hcl:3: {message}"] == problems(f"{RAFT}{keys}\n{LISTENER}")


def test_a_key_that_is_set_twice_is_an_error_beside_others() -> None:
    assert [
        "1.hcl:3: pid_file must be a text in quotes",
        "1.hcl:4: pid_file was already set on line 3",
    ] == problems(f"{RAFT}pid_file = 1\npid_file = 2\n{LISTENER}")


def test_all_problems_come_at_once_in_the_order_of_the_files() -> None:
    assert [
        '1.hcl:1: a listener is missing: write listener "tcp" { ... }',
        "1.hcl:2: unknown key foo",
        "2.hcl:1: unknown key bar",
        "2.hcl:3: path must be a text in quotes",
        f"VAULT_LOG_LEVEL: log_level must be one of {LEVELS}, not 'loud'",
    ] == problems(
        "\nfoo = 1\nlog_level = 5",
        'bar = 1\nstorage "raft" {\npath = 1 }',
        VAULT_LOG_LEVEL="loud",
    )


def test_texts_that_are_no_documents_are_all_named_and_nothing_else_is() -> None:
    assert ["1.hcl:2: expected a value, found end of text", "3.hcl:1: expected a key, found ="] == (
        problems("\na =", "foo = 1", "= 2")
    )


def test_no_file_at_all() -> None:
    assert [
        '-config: storage is missing: write storage "raft" { ... } or storage "inmem" {}',
        '-config: a listener is missing: write listener "tcp" { ... }',
    ] == problems()


def test_a_later_file_overrides_an_earlier_one() -> None:
    configuration = read(
        f'{RAFT} {LISTENER} cluster_name = "one" log_level = "debug"',
        'cluster_name = "two" storage "raft" { path = "/e" node_id = "x" }',
        'listener "tcp" { address = "10.0.0.1:9000" tls_disable = true }',
    )

    assert ("two", "debug") == (configuration.cluster_name, configuration.log_level)
    assert RaftStorage(path="/e", node_id="x") == configuration.storage
    assert ["10.0.0.1:8200", "10.0.0.1:9000"] == [each.address for each in configuration.listeners]


def test_the_environment_overrides_all_files() -> None:
    configuration = read(
        'storage "raft" { node_id = "file" } disable_mlock = true api_addr = "bad"',
        LISTENER,
        VAULT_API_ADDR="https://a:1",
        VAULT_CLUSTER_ADDR="https://b:2",
        VAULT_LOG_LEVEL="error",
        VAULT_RAFT_NODE_ID="environment",
        VAULT_RAFT_PATH="/e",
    )

    assert RaftStorage(path="/e", node_id="environment") == configuration.storage
    assert ("https://a:1", "https://b:2", "error") == (
        configuration.api_addr,
        configuration.cluster_addr,
        configuration.log_level,
    )


def test_an_empty_variable_says_nothing() -> None:
    assert "/d" == getattr(read(RAFT + LISTENER, VAULT_RAFT_PATH="").storage, "path", None)


def test_memory_that_may_be_swapped_out_is_pointed_out() -> None:
    configuration = read(f'storage "raft" {{ path = "/d" }} {LISTENER}')

    assert configuration.disable_mlock
    (warning,) = configuration.warnings
    assert str(warning).startswith(
        "1.hcl:1: disable_mlock is not set, so that secrets may be swapped"
    )


def test_what_vault_knows_and_holdfast_lacks_is_a_warning() -> None:
    text = f"{RAFT}ui = true\ntelemetry {{ anything = 1 }}\ncache_size = 5\n{LISTENER}"

    assert [
        "1.hcl:3: ui is not available in Holdfast and ignored: there is no web page yet",
        "1.hcl:4: telemetry is not available in Holdfast and ignored: there are no metrics yet",
        "1.hcl:5: cache_size is not available in Holdfast and ignored",
    ] == warnings(text)


@pytest.mark.parametrize(
    ("table", "text"),
    [
        (vault_keys.TOP, RAFT + LISTENER + "{}"),
        (vault_keys.RAFT, f'storage "raft" {{ path = "/d"\n{{}} }} disable_mlock = 1 {LISTENER}'),
        (
            vault_keys.RETRY_JOIN,
            RAFT.replace(" }", ' retry_join { leader_api_addr = "http://a"\n{} } }') + LISTENER,
        ),
        (vault_keys.LISTENER, RAFT + LISTENER.replace("true", "true {}")),
    ],
)
def test_every_row_of_the_tables_is_a_warning_and_no_error(
    table: dict[str, str], text: str
) -> None:
    for form in ("{} = 1\n", "{} {{}}\n"):
        keys = "".join(form.format(key) for key in table)

        told = warnings(text.replace("{}", keys))

        assert list(table) == [warning.split()[1] for warning in told]


def test_the_examples_of_the_documentation_work_without_a_warning() -> None:
    """But for the one that shows what is said of a faulty file, word for word."""
    page = DOCUMENTATION.read_text()
    examples = re.findall(r"^```(?:hcl|json)\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    faulty = page.partition("## Errors and warnings")[2].split("```")
    said = faulty[3].strip().splitlines()

    assert 4 == len(examples)
    assert faulty[1] == f"hcl\n{examples[2]}"
    for example in (*examples[:2], examples[3]):
        assert () == read(example).warnings
    with pytest.raises(ConfigurationError) as refused:
        read_documents([Document("/etc/holdfast/holdfast.hcl", examples[2])], {})
    assert said == list(refused.value.problems)


def test_every_key_is_documented() -> None:
    page = DOCUMENTATION.read_text()
    keys = [*re.findall(r"\w+(?= = | \{)", EVERY_KEY), "tls_disable", "tls_disable_client_certs"]

    assert [] == [key for key in keys if f"| `{key}` |" not in page and f"### {key}" not in page]
