"""A dev cluster seen from outside: who leads, which process a member is, and why there is none."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from server.bench import children
from server.bench.dev_cluster import DevCluster, dev_cluster
from server.bench.settings import BenchError
from server.bench.workload import Target
from tests.server.bench.raw_server import RawServer, answer


def told(*targets: Target) -> dict[str, Any]:
    nodes = [{"id": f"node{place}", "api_addr": each.url} for place, each in enumerate(targets, 1)]
    return {"nodes": nodes, "root_token": "hvs.root"}


def parent(log: Path) -> DevCluster:
    """Return a cluster without members, whose process is a child of this one."""
    with children.running((sys.executable, "-c", ""), log) as process:
        return DevCluster(process, log, told())


def test_the_leader_is_who_says_so(tmp_path: Path) -> None:
    """Members that do not listen, or refuse, are passed over."""
    log = tmp_path / "log"
    with RawServer() as server:
        gone = server.target
    with (
        RawServer([answer(b"{}", b"503 Sealed")]) as sealed,
        RawServer([answer(b'{"is_self":false}')]) as follower,
        RawServer([answer(b'{"is_self":true}')]) as leader,
        children.running((sys.executable, "-c", "input()"), log, given=subprocess.PIPE) as process,
    ):
        members = (gone, sealed.target, follower.target, leader.target)
        found = DevCluster(process, log, told(*members)).leader()

    assert ("node4", leader.target) == (found.name, found.target)


def test_without_a_leader_and_a_process_there_is_no_cluster(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="leadership: the process ended"):
        parent(tmp_path / "log").leader()


@pytest.mark.slow
def test_a_member_is_found_by_its_configuration(tmp_path: Path) -> None:
    """Among the children of the cluster's process."""
    program = (
        "import subprocess, sys; child = subprocess.Popen((sys.executable, '-c',"
        " 'print(flush=True); input()', '-config=/x/node1.json')); child.wait()"
    )
    pipe = subprocess.PIPE
    with (
        RawServer() as server,
        children.running(
            (sys.executable, "-c", program), tmp_path / "log", output=pipe, given=pipe
        ) as process,
    ):
        assert process.stdout is not None
        process.stdout.readline()
        cluster = DevCluster(process, tmp_path / "log", told(server.target, server.target))
        pid = cluster.pid(cluster.members[0])

        assert Path(f"/proc/{pid}").exists()
        assert pid not in (process.pid, os.getpid())
        with pytest.raises(BenchError, match="node2 does not run"):
            cluster.pids()


@pytest.mark.slow
def test_a_cluster_that_does_not_start(tmp_path: Path) -> None:
    """A file is where its directory should be."""
    (tmp_path / "cluster").write_text("")
    with (
        pytest.raises(BenchError, match="the dev cluster does not start; it said: "),
        dev_cluster(tmp_path),
    ):
        raise AssertionError
