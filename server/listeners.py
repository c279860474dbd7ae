"""From the configuration of a listener to one that listens.

Owns how its settings are handed to the HTTP lanes and to TLS, and that a TLS file which cannot be
used is told with the place where it is named. Must not know when listeners start and end.
"""

from functools import partial
from pathlib import Path

from core.moment import NANOSECONDS_PER_SECOND
from net.http.application import Application
from net.http.listener import Listener
from net.http.settings import ListenerSettings, ListenerTimeouts
from net.http.wide import AsgiApp
from net.tls import ServerTls, ServerTlsSettings, TlsError
from server.config import configuration as config


def listen(settings: config.Listener, application: Application, tls: ServerTls | None) -> Listener:
    """Return a listener that is bound to its address, and whose requests `application` answers.

    Raises:
        CannotListenError: the address is in use or not ours.
    """
    limits = ListenerSettings(
        timeouts=ListenerTimeouts(
            idle_s=settings.http_idle_timeout_ns / NANOSECONDS_PER_SECOND,
            read_header_s=settings.http_read_header_timeout_ns / NANOSECONDS_PER_SECOND,
            read_s=settings.http_read_timeout_ns / NANOSECONDS_PER_SECOND,
            write_s=settings.http_write_timeout_ns / NANOSECONDS_PER_SECOND,
        ),
        request_bytes_max=settings.max_request_size,
    )
    host, _, port = settings.address.rpartition(":")
    return Listener(
        host.strip("[]"),
        int(port),
        application=application,
        build_app=partial(_build_app, settings=limits),
        settings=limits,
        tls=tls,
    )


def server_tls(settings: config.Listener) -> ServerTls | None:
    """Return the TLS side of a listener; None if its clients speak plain HTTP.

    Raises:
        TlsError: a file can't be used; the message says where it is named.
    """
    if settings.tls_disable:
        return None
    authorities = settings.tls_client_ca_file
    try:
        return ServerTls(
            ServerTlsSettings(
                certificate_file=Path(settings.tls_cert_file),
                key_file=Path(settings.tls_key_file),
                version_min=settings.tls_min_version,
                client_certificates=settings.client_certificates,
                client_authorities_file=Path(authorities) if authorities else None,
            )
        )
    except TlsError as error:
        raise TlsError(f"{_named(settings, error.file)}{error}", error.file) from None


def _named(settings: config.Listener, file: Path | None) -> str:
    """Return where a file is named, as the beginning of a sentence; nothing if nobody has."""
    for key, place in settings.places.items():
        if Path(getattr(settings, key)) == file:
            return f"{place}: {key} "
    return ""


def _build_app(application: Application, settings: ListenerSettings) -> AsgiApp:
    # The wide lane alone needs Starlette, and asks for this when it is needed itself.
    from server.app import build_app  # noqa: PLC0415 -- as said above

    return build_app(application, settings)
