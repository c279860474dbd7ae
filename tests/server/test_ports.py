"""Free ports."""

import socket

from server.ports import free_ports

HOST = "127.0.0.1"


def test_free_ports_are_all_different_and_free() -> None:
    ports = free_ports(HOST, 20)

    assert 20 == len(set(ports))
    for port in ports:
        socket.create_server((HOST, port)).close()
