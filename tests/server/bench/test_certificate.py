"""The certificate serves TLS on 127.0.0.1, and its key is nobody else's."""

import stat
from pathlib import Path

from server.bench.certificate import write_certificate
from server.bench.connection import get
from tests.server.bench.raw_server import RawServer


def test_a_client_that_trusts_the_authority_is_served(tmp_path: Path) -> None:
    made = write_certificate(tmp_path)
    with RawServer(certificate=made) as server:
        assert get(server.target, "/").succeeded

    assert 0o600 == stat.S_IMODE(made.key_file.stat().st_mode)
    assert str(made.authority_file) == server.target.ca_file
