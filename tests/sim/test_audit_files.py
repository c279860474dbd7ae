"""The simulated audit files."""

from core.vault.audit_file import AuditFile
from sim.audit_files import AuditFiles
from sim.faults import AUDIT_FILES, AuditRefusal, SlowAudit

FIRST, SECOND = AUDIT_FILES
LINES = {AuditFile(FIRST, 0): b"one\n", AuditFile(SECOND, 0): b"two\n"}


def _refusal(*files: str) -> AuditRefusal:
    return AuditRefusal(at_ns=0, for_ns=1, nodes=("n1",), files=files)


def _slow(late_ns: int) -> SlowAudit:
    return SlowAudit(at_ns=0, for_ns=1, nodes=("n1",), late_ns=late_ns)


def test_healthy_files_take_all_records_at_once() -> None:
    files = AuditFiles()

    assert ((), False, 0) == (files.unwritable(LINES), files.refuses, files.late_ns)


def test_a_file_takes_no_records_until_the_last_episode_ends() -> None:
    files = AuditFiles()
    files.begin(_refusal(FIRST))
    files.begin(_refusal(FIRST, SECOND))
    assert AUDIT_FILES == files.unwritable(LINES)

    files.end(_refusal(FIRST, SECOND))
    assert (FIRST,) == files.unwritable(LINES)
    files.end(_refusal(FIRST))
    assert ((), False) == (files.unwritable(LINES), files.refuses)


def test_the_slowest_episode_counts() -> None:
    files = AuditFiles()
    for late_ns in (5, 9, 7):
        files.begin(_slow(late_ns))
    assert 9 == files.late_ns

    files.end(_slow(9))
    assert 7 == files.late_ns


def test_healing_takes_back_all_faults() -> None:
    files = AuditFiles()
    files.begin(_refusal(FIRST))
    files.begin(_slow(5))
    files.heal()
    files.end(_slow(5))

    assert ((), False, 0) == (files.unwritable(LINES), files.refuses, files.late_ns)
