"""A child that ends with its parent, as processes."""

import os
import select
import signal
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow

_CHILD = """
import os, sys
from server.parent import end_with_parent
end_with_parent(int(sys.argv[1]))
os.write(1, b"tied\\n")
sys.stdin.buffer.read()
"""
_PARENT = f"""
import os, subprocess, sys
child = subprocess.Popen((sys.executable, "-c", {_CHILD!r}, str(os.getpid())))
print(child.pid, flush=True)
sys.stdin.buffer.read()
"""
PATIENCE_S = 20.0


def test_a_child_ends_when_its_parent_is_killed() -> None:
    # A pipe that nobody writes to: the child can't end by itself.
    held, never_closed = os.pipe()
    with subprocess.Popen(
        (sys.executable, "-c", _PARENT), stdin=held, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        tied = parent.stdout.readline()
        descriptor = os.pidfd_open(child)
        parent.kill()
        ended, _, _ = select.select([descriptor], [], [], PATIENCE_S)
    for each in (descriptor, held, never_closed):
        os.close(each)

    assert ("tied\n", [descriptor]) == (tied, ended)


def test_a_child_whose_parent_has_died_already_ends_at_once() -> None:
    other = "1" if os.getpid() != 1 else "2"
    ended = subprocess.run((sys.executable, "-c", _CHILD, other), input=b"", check=False)

    assert -signal.SIGKILL == ended.returncode
