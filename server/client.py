"""The client's side of the wire: one request of the Vault HTTP API, and its answer.

Owns the connection, TLS, retries and the one redirect that Vault's own client follows. Knows
nothing of commands, flags, environment or output. It stands on `http.client` because a command
like `status` is a probe: importing httpx takes 120 ms, `http.client` with `ssl` 27 ms.
"""

import http.client
import ssl
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple, Self
from urllib.parse import quote, urlencode, urljoin, urlsplit

from server import json_text
from server.client_tls import TlsSettings, UnusableError, create_context

ANSWER_BYTES_MAX: Final = 64 << 20
"""The longest body that is read: twice what a server takes, as lists outgrow what made them."""

RETRY_WAITS_S: Final = (1.0, 1.5)
"""Waits before the first and before any later retry, unless the server names one."""

RETRY_AFTER_S_MAX: Final = 60
"""The longest wait that a server may ask for."""

READS: Final = frozenset({"GET", "LIST", "HEAD"})
"""Methods of requests that may be repeated whatever became of them."""

OUTCOME_UNKNOWN: Final = b"the outcome is unknown"
"""What a server says that does not know whether a request was executed."""

REDIRECTS: Final = frozenset({301, 302, 307, 308})
"""Redirects that keep method and body, as Vault's standby nodes mean them."""

PATH_SAFE: Final = "/:@!$&'()*+,;=~"
"""What a path may hold unescaped besides letters and digits (RFC 3986, section 3.3)."""


class ClientSettings(NamedTuple):
    """Where and as whom to ask.

    Attributes:
        address: the server's URL, `https://host:port`.
        token: the client token, or empty.
        namespace: the namespace, or empty.
        headers: further headers.
        timeout_s: seconds without progress after which a request fails.
        retries_max: repetitions after an answer that invites one.
        tls: how to trust the server.
    """

    address: str
    token: str = ""
    namespace: str = ""
    headers: Mapping[str, str] = {}
    timeout_s: float = 60.0
    retries_max: int = 2
    tls: TlsSettings = TlsSettings()


class Answer(NamedTuple):
    """What the server said: the status and the JSON object, which is empty for an empty body."""

    status: int
    body: dict[str, Any]

    @property
    def data(self) -> dict[str, Any] | None:
        """The payload of the envelope."""
        data = self.body.get("data")
        return data if isinstance(data, dict) else None


class ClientError(Exception):
    """A request did not bring what was asked for. The text is for people.

    Attributes:
        remote: whether the fault lies on the wire or behind it, rather than with the settings.
    """

    remote = True


class SettingsError(ClientError):
    """The settings cannot be used: a file that is missing, a malformed header or address."""

    remote = False


class UnreachableError(ClientError):
    """There was no answer, or none that is HTTP and JSON."""


class ApiError(ClientError):
    """The server refused.

    Attributes:
        status: the HTTP status code.
        errors: the texts the server gave; empty if its body was not Vault-shaped.
    """

    def __init__(self, method: str, url: str, namespace: str, status: int, body: bytes) -> None:
        self.status = status
        self.errors: tuple[str, ...] = ()
        parsed = _parse_object(body)
        lines = ["Error making API request.", ""]
        if namespace:
            lines.append(f"Namespace: {namespace}")
        lines.append(f"URL: {method} {url}")
        if parsed is not None and isinstance(parsed.get("errors"), list):
            self.errors = tuple(str(error) for error in parsed["errors"])
            lines += [f"Code: {status}. Errors:", "", *(f"* {error}" for error in self.errors)]
        else:
            lines += [f"Code: {status}. Raw Message:", "", body.decode("utf-8", "replace")]
        super().__init__("\n".join(lines))


class _Reply(NamedTuple):
    """One HTTP exchange: what came back, and from where."""

    url: str
    status: int
    location: str
    retry_after: str
    body: bytes


class Client:
    """Asks one server. One connection is kept open between requests."""

    def __init__(
        self, settings: ClientSettings, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        """Prepare to ask; nothing is sent yet.

        Raises:
            SettingsError: the address or the TLS files cannot be used.
        """
        self.settings = settings
        self._sleep = sleep
        self._origin = ""
        self._connection: http.client.HTTPConnection | None = None
        self._headers = _request_headers(settings)
        self._base = settings.address.rstrip("/")
        self._tls = _tls_context(settings.tls) if _scheme_of(self._base) == "https" else None

    def __enter__(self) -> Self:
        """Return this client; leaving closes its connection."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connection."""
        self.close()

    def close(self) -> None:
        """Close the connection. The client may be used again."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def request(
        self,
        method: str,
        path: str,
        body: object = None,
        parameters: Mapping[str, str] | None = None,
        *,
        retries_max: int | None = None,
    ) -> Answer:
        """Ask and return the answer.

        A 404 that carries data or warnings is an answer: a deleted version of a secret, say.

        Args:
            method: the verb, `LIST` included.
            path: the path behind `/v1/`, not yet escaped.
            body: what to send as JSON, if anything.
            parameters: the query string.
            retries_max: repetitions, if other than the settings say.

        Raises:
            ApiError: the server refused.
            UnreachableError: there was no usable answer.
            SettingsError: a header cannot be sent.
        """
        url = f"{self._base}/v1/{quote(path.strip('/'), safe=PATH_SAFE)}"
        if method == "LIST":
            url = f"{url.rstrip('/')}/"
        if parameters:
            url = f"{url}?{urlencode(parameters)}"
        payload = None if body is None else json_text.encode(body).encode()
        attempts_max = 1 + (self.settings.retries_max if retries_max is None else retries_max)
        reply = self._repeat(method, url, payload, attempts_max)
        parsed = _parse_object(reply.body) if reply.body else {}
        answers = reply.status < http.HTTPStatus.MULTIPLE_CHOICES or (
            reply.status == http.HTTPStatus.NOT_FOUND
            and parsed is not None
            and bool(parsed.get("data") or parsed.get("warnings"))
        )
        if not answers:
            raise ApiError(method, reply.url, self.settings.namespace, reply.status, reply.body)
        if parsed is None:
            raise UnreachableError(f"{method} {reply.url}: the answer is not a JSON object")
        return Answer(reply.status, parsed)

    def find(
        self,
        method: str,
        path: str,
        body: object = None,
        parameters: Mapping[str, str] | None = None,
    ) -> Answer | None:
        """Ask as `request` does, and return None if there is nothing at that path."""
        try:
            return self.request(method, path, body, parameters)
        except ApiError as error:
            if error.status == http.HTTPStatus.NOT_FOUND and not error.errors:
                return None
            raise

    def _repeat(self, method: str, url: str, payload: bytes | None, attempts_max: int) -> _Reply:
        reply = self._follow(method, url, payload)
        for attempt in range(1, attempts_max):
            if not _invites_retry(reply.status) or _leaves_doubt(method, reply):
                break
            self._sleep(_wait_s(attempt, reply.retry_after))
            reply = self._follow(method, url, payload)
        return reply

    def _follow(self, method: str, url: str, payload: bytes | None) -> _Reply:
        """Exchange, following at most one redirect: a loop of standbys must end somewhere."""
        reply = self._exchange(method, url, payload)
        if reply.status not in REDIRECTS or not reply.location:
            return reply
        target = urljoin(url, reply.location)
        if _scheme_of(target) != "https" and _scheme_of(url) == "https":
            # The token would leave the protection of TLS because a server said so.
            raise UnreachableError(f"{method} {url}: refused to follow a redirect to {target}")
        return self._exchange(method, target, payload)

    def _exchange(self, method: str, url: str, payload: bytes | None) -> _Reply:
        parts = urlsplit(url)
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        headers = self._headers
        if payload is not None:
            headers = {**headers, "Content-Type": _content_type(method)}
        try:
            connection = self._connect(f"{parts.scheme}://{parts.netloc}")
            connection.request(method, target, payload, headers)
            with connection.getresponse() as response:
                body = response.read(ANSWER_BYTES_MAX + 1)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise UnreachableError(f"{method} {url}: {_explain(error)}") from error
        except ValueError as error:
            self.close()
            raise SettingsError(f"this request cannot be sent: {error}") from error
        if len(body) > ANSWER_BYTES_MAX:
            self.close()
            raise UnreachableError(f"{method} {url}: the answer exceeds {ANSWER_BYTES_MAX} bytes")
        location, retry_after = response.headers["Location"], response.headers["Retry-After"]
        return _Reply(url, response.status, location or "", retry_after or "", body)

    def _connect(self, origin: str) -> http.client.HTTPConnection:
        if self._connection is not None and self._origin == origin:
            return self._connection
        self.close()
        parts = urlsplit(origin)
        host, timeout_s = parts.hostname or "", self.settings.timeout_s
        if parts.scheme == "https":
            # A server on plain HTTP may redirect to one with TLS.
            self._tls = self._tls or _tls_context(self.settings.tls)
            name = self.settings.tls.server_name
            self._connection = _NamedConnection(host, parts.port, name, self._tls, timeout_s)
        else:
            self._connection = http.client.HTTPConnection(host, parts.port, timeout=timeout_s)
        self._origin = origin
        return self._connection


class _NamedConnection(http.client.HTTPConnection):
    """An HTTPS connection that may ask for another name than the one it connects to."""

    default_port = 443

    def __init__(
        self, host: str, port: int | None, name: str, context: ssl.SSLContext, timeout_s: float
    ) -> None:
        super().__init__(host, port, timeout=timeout_s)
        self._name = name or host
        self._context = context

    def connect(self) -> None:
        super().connect()
        self.sock = self._context.wrap_socket(self.sock, server_hostname=self._name)


def _request_headers(settings: ClientSettings) -> dict[str, str]:
    headers = {"X-Vault-Request": "true", **settings.headers}
    if settings.token:
        headers["X-Vault-Token"] = settings.token
    if settings.namespace:
        headers["X-Vault-Namespace"] = settings.namespace
    return headers


def _scheme_of(url: str) -> str:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise SettingsError(f"{url!r} is not an address such as https://127.0.0.1:8200")
    return parts.scheme


def _content_type(method: str) -> str:
    return "application/merge-patch+json" if method == "PATCH" else "application/json"


def _tls_context(settings: TlsSettings) -> ssl.SSLContext:
    try:
        return create_context(settings)
    except UnusableError as error:
        raise SettingsError(str(error)) from error


def _invites_retry(status: int) -> bool:
    return status == http.HTTPStatus.PRECONDITION_FAILED or (
        status >= http.HTTPStatus.INTERNAL_SERVER_ERROR
        and status != http.HTTPStatus.NOT_IMPLEMENTED
    )


def _leaves_doubt(method: str, reply: _Reply) -> bool:
    """Tell whether the request may have been executed, and would then be executed twice.

    A gateway that says 502 or 504 has lost track of what it passed on.
    """
    lost = reply.status in (http.HTTPStatus.BAD_GATEWAY, http.HTTPStatus.GATEWAY_TIMEOUT)
    return method not in READS and (lost or OUTCOME_UNKNOWN in reply.body)


def _wait_s(attempt: int, retry_after: str) -> float:
    if retry_after.isascii() and retry_after.isdigit() and len(retry_after) < len("1000000"):
        return min(int(retry_after), RETRY_AFTER_S_MAX)
    return RETRY_WAITS_S[min(attempt, len(RETRY_WAITS_S)) - 1]


def _explain(error: Exception) -> str:
    if isinstance(error, ssl.SSLError) and error.reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST"):
        return "the server does not speak TLS; does its address start with http://?"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}"
    if isinstance(error, TimeoutError):
        return "timed out"
    if isinstance(error, OSError) and not isinstance(error, ssl.SSLError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__


def _parse_object(body: bytes) -> dict[str, Any] | None:
    try:
        parsed = json_text.decode(body)
    except (ValueError, RecursionError):
        return None
    return parsed if isinstance(parsed, dict) else None
