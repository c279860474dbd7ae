"""One node's simulated audit files: which of them take records, and how long that takes.

Owns what faults do to an append. Must not know what a record says, nor what is made of an append
that failed: the host and `core` do.
"""

from collections.abc import Mapping

from core.vault.audit_file import AuditFile
from sim.faults import AuditRefusal, SlowAudit


class AuditFiles:
    """Where one node writes its audit records.

    Attributes:
        late_ns: how long an append takes; 0 if no time worth mentioning.
    """

    __slots__ = ("_refusals", "_slow", "late_ns")

    def __init__(self) -> None:
        self._refusals: list[AuditRefusal] = []
        self._slow: list[SlowAudit] = []
        self.late_ns = 0

    @property
    def refuses(self) -> bool:
        """Whether any file takes no records."""
        return bool(self._refusals)

    def unwritable(self, lines: Mapping[AuditFile, bytes]) -> tuple[str, ...]:
        """Return the paths of those files that do not take their lines now."""
        if not self._refusals:
            return ()
        refusing = [path for fault in self._refusals for path in fault.files]
        return tuple(file.path for file in lines if file.path in refusing)

    def begin(self, fault: AuditRefusal | SlowAudit) -> None:
        """Put `fault` in force, until it is ended."""
        if isinstance(fault, AuditRefusal):
            self._refusals.append(fault)
        else:
            self._slow.append(fault)
            self._settle()

    def end(self, fault: AuditRefusal | SlowAudit) -> None:
        """Take back a `fault` that was begun; it may have been healed meanwhile."""
        if isinstance(fault, AuditRefusal):
            self._refusals = [other for other in self._refusals if other != fault]
        else:
            self._slow = [other for other in self._slow if other != fault]
            self._settle()

    def heal(self) -> None:
        """Take back all faults."""
        self._refusals.clear()
        self._slow.clear()
        self._settle()

    def _settle(self) -> None:
        self.late_ns = max((fault.late_ns for fault in self._slow), default=0)
