"""What the tests of the benchmarks share: a certificate, made once."""

import pytest

from server.bench.certificate import Certificate, write_certificate


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return write_certificate(tmp_path_factory.mktemp("certificate"))
