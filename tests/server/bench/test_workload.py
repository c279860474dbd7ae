"""Requests: their bytes, their randomness, and the same as a script for wrk."""

import base64
import json
import re
from itertools import islice

import pytest

from server.bench.workload import Target, Workload, etcd_put, kv_read, kv_write

TARGET = Target("127.0.0.1", 8200)


def test_a_read_as_bytes() -> None:
    assert (
        b"GET /v1/secret/data/k0000007 HTTP/1.1\r\n"
        b"Host: 127.0.0.1:8200\r\n"
        b"X-Vault-Token: hvs.x\r\n\r\n"
    ) == kv_read("hvs.x", 10).request(TARGET, 7)


@pytest.mark.parametrize("workload", [kv_write("hvs.x", 1000), etcd_put(1000)])
def test_the_length_that_is_announced_is_right(workload: Workload) -> None:
    """And is so for all requests."""
    for request in islice(workload.random_requests(TARGET, 3), 50):
        head, _, body = request.partition(b"\r\n\r\n")
        announced = re.search(rb"Content-Length: (\d+)", head)
        assert announced is not None
        assert int(announced[1]) == len(body)
        assert json.loads(body)


def test_values_have_a_hundred_bytes() -> None:
    """In KV version 2 as text, in etcd behind base64."""
    _, _, kv_body = kv_write("hvs.x", 10).request(TARGET, 1).partition(b"\r\n\r\n")
    _, _, etcd_body = etcd_put(10).request(TARGET, 1).partition(b"\r\n\r\n")

    assert 100 == len(json.loads(kv_body)["data"]["value"])
    assert 100 == len(base64.b64decode(json.loads(etcd_body)["value"], validate=True))
    assert base64.b64decode(json.loads(etcd_body)["key"], validate=True)


def test_no_two_writes_are_equal() -> None:
    """Neither within a run nor between runs."""
    workload = kv_write("hvs.x", 1)
    requests = [
        request for run in (1, 2) for request in islice(workload.random_requests(TARGET, run), 100)
    ]

    assert 200 == len(set(requests))


def test_a_run_can_be_repeated() -> None:
    workload = kv_read("hvs.x", 1000)
    first, again, other = (
        list(islice(workload.random_requests(TARGET, run), 50)) for run in (1, 1, 2)
    )

    assert first == again
    assert first != other


def test_each_key_once() -> None:
    workload = Workload(method="GET", path="/{key}", keys=3)
    paths = [request.split()[1] for request in workload.each_key(TARGET)]

    assert [b"/0000000", b"/0000001", b"/0000002"] == paths


def test_percent_signs_stay() -> None:
    workload = Workload(method="GET", path="/a%20b")

    assert workload.request(TARGET, 0).startswith(b"GET /a%20b HTTP/1.1\r\n")


def test_a_script_for_wrk() -> None:
    workload = Workload(
        method="POST",
        path="/k{key}",
        keys=10,
        headers={"X-Vault-Token": "t"},
        body='{"v":"{serial}"}',
    )

    assert (
        'wrk.headers["X-Vault-Token"] = "t"\n'
        "math.randomseed(2)\n"
        "local serial = 200000000\n"
        "request = function()\n"
        "  serial = serial + 1\n"
        '  local key = string.format("%07d", math.random(0, 9))\n'
        '  local digits = string.format("%012d", serial)\n'
        '  return wrk.format("POST", "/k" .. key .. "", nil,'
        ' "{\\"v\\":\\"" .. digits .. "\\"}")\n'
        "end\n"
    ) == workload.lua(2)


@pytest.mark.parametrize(("ca_file", "scheme"), [("", "http"), ("ca.pem", "https")])
def test_the_url_of_a_target(ca_file: str, scheme: str) -> None:
    assert f"{scheme}://127.0.0.1:8200" == Target("127.0.0.1", 8200, ca_file).url
