"""What tests of listeners of real processes share: their options, and raw connections."""

import json
import socket
import ssl
import time
from pathlib import Path

PATIENCE_S = 20.0


def with_listener(file: Path, **options: object) -> Path:
    """Set options of the listener in a configuration file; return the file."""
    configuration = json.loads(file.read_text())
    configuration["listener"]["tcp"] |= options
    if not configuration["listener"]["tcp"]["tls_disable"]:
        configuration["api_addr"] = configuration["api_addr"].replace("http:", "https:")
    file.write_text(json.dumps(configuration))
    return file


def connected(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S)


def encrypted(plain: socket.socket) -> ssl.SSLSocket:
    """Shake hands, whoever is there."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(plain)


def ended_after_s(connection: socket.socket) -> float:
    """Return how long it takes until the other side ends the connection."""
    began_s = time.monotonic()
    try:
        while connection.recv(1 << 16):
            pass
    except ConnectionResetError:
        pass
    connection.close()
    return time.monotonic() - began_s


def dripped_s(connection: socket.socket, text: bytes, pause_s: float) -> float:
    """Send byte by byte until the other side ends the connection; return how long that takes."""
    began_s = time.monotonic()
    connection.settimeout(pause_s)
    for number in range(len(text)):
        try:
            connection.sendall(text[number : number + 1])
            if connection.recv(1 << 16) == b"":
                break
        except TimeoutError:
            continue
        except OSError:
            break
    connection.close()
    return time.monotonic() - began_s
