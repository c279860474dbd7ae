"""wrk's report is read rightly, and its script sends what our own client would."""

import re
import shutil
from pathlib import Path

import pytest

from server.bench import wrk
from server.bench.certificate import Certificate
from server.bench.generator import Job, Outcome
from server.bench.settings import BenchError
from server.bench.workload import KEY_DIGITS, SERIAL_DIGITS, Workload, etcd_put, kv_read, kv_write
from tests.needs import needs
from tests.server.bench.raw_server import RawServer, answer

REPORT = """\
Running 2s test @ https://127.0.0.1:1
  1 threads and 32 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     4.89ms    1.95ms  15.62ms   69.77%
    Req/Sec     6.42k     0.87k    8.07k    75.00%
  Latency Distribution
     50%  610.00us
     75%    6.01ms
     90%    7.63ms
     99%    1.22s
  12000 requests in 2.00s, 9.22MB read
Requests/sec:   6000.00
Transfer/sec:      4.60MB
"""
REFUSED = REPORT.replace("Requests/sec", "  Non-2xx or 3xx responses: 17\nRequests/sec")
BROKEN = REPORT.replace(
    "Requests/sec", "  Socket errors: connect 0, read 3, write 0, timeout 0\nRequests/sec"
)


def test_a_report() -> None:
    expected = Outcome(
        answered=12_000, refused=0, rate=6000.0, p50_ms=0.61, p99_ms=1220.0, load_share=0.25
    )

    assert expected == wrk.read_report(REPORT, cpu_s=0.5)


def test_refusals() -> None:
    assert 17 == wrk.read_report(REFUSED, 0.5).refused


@pytest.mark.parametrize(
    ("report", "error"),
    [
        (BROKEN, "Socket errors: connect 0, read 3"),
        (REPORT.replace("12000 requests", "0 requests"), "no answer"),
        ("nonsense", "no report: nonsense"),
        (REPORT.replace("99%", "98%"), "no report"),
    ],
)
def test_reports_that_are_no_result(report: str, error: str) -> None:
    with pytest.raises(BenchError, match=error):
        wrk.read_report(report, 0.5)


@pytest.mark.parametrize(("seconds", "expected"), [(0.3, 1), (1.0, 1), (1.2, 2), (5, 5)])
def test_wrk_counts_whole_seconds(seconds: float, expected: int) -> None:
    assert expected == wrk.whole_seconds(seconds)


def job(server: RawServer, workload: Workload, run: int = 3) -> Job:
    return Job(target=server.target, workload=workload, connections=2, seconds=0.1, run=run)


def lines(request: bytes) -> list[str]:
    """Return an ordered request with all digits of keys and serial numbers made equal."""
    text = re.sub(rf"\d{{{SERIAL_DIGITS}}}|\d{{{KEY_DIGITS}}}", "#", request.decode())
    return sorted(text.split("\r\n"))


@pytest.mark.slow
@pytest.mark.parametrize("workload", [kv_read("hvs.x", 50), kv_write("t", 50), etcd_put(50)])
def test_the_script_sends_what_our_client_sends(workload: Workload, tmp_path: Path) -> None:
    needs("wrk")
    with RawServer() as server:
        outcome = wrk.perform(shutil.which("wrk") or "", job(server, workload), tmp_path, None)

    sent = list(server.requests)
    assert outcome.answered <= len(sent) <= outcome.answered + 2
    assert lines(workload.request(server.target, 1)) == lines(sent[0])
    keys = {int(key) for key in re.findall(rb"k(\d{7})", b"".join(sent))}
    assert keys <= set(range(50))
    if workload.body:
        assert len(sent) == len(set(sent))


@pytest.mark.slow
def test_wrk_on_tls(certificate: Certificate, tmp_path: Path) -> None:
    """Refusals are counted, and its CPU time is told."""
    needs("wrk")
    refusal = answer(status=b"403 Forbidden")
    with RawServer([refusal], certificate) as server:
        workload = kv_read("t", 5)
        outcome = wrk.perform(shutil.which("wrk") or "", job(server, workload), tmp_path, None)

    assert outcome.answered == outcome.refused > 0
    assert 0 < outcome.load_share < 1.5


def test_wrk_finds_nobody(tmp_path: Path) -> None:
    needs("wrk")
    with RawServer() as server:
        nobody = job(server, kv_read("t", 5))
    with pytest.raises(BenchError, match="wrk: unable to connect"):
        wrk.perform(shutil.which("wrk") or "", nobody, tmp_path, None)
