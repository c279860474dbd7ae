"""HTTP/1 as Hypercorn serves it: one request of a connection.

It owns what Hypercorn's protocol must not do here: read a second request, whose head the thin lane
has to see first; change the protocol; take `get` for `GET`; answer without saying why. It must not
know why a request comes here, nor how it is answered.
"""

from typing import Final

import h11
from hypercorn.events import Closed, RawData
from hypercorn.protocol.events import Request
from hypercorn.protocol.h11 import STREAM_ID, H11Protocol
from hypercorn.protocol.http_stream import HTTPStream

from net.http.requests import refusal
from net.http.responses import Renderer
from net.http.settings import HEAD_BYTES_MAX

BAD_BODY: Final = refusal(400, "the body ends too early, or is not in chunks as it should be")
TRAILER_TOO_LARGE: Final = refusal(
    431, f"a trailer or the header of a chunk is longer than {HEAD_BYTES_MAX} bytes"
)


class OneRequest(H11Protocol):
    """Serves one request, whose head `net.http.judgement` has let pass.

    It asks for the end (`Closed`) when the request has been answered.
    """

    _method = ""
    _recycled = False

    @property
    def rest(self) -> bytes | None:
        """What the client has sent behind its request; None if it must send no other.

        Only whole once nobody hands over bytes any more: who reads may be about to do so still
        when the end is asked for.
        """
        return self.connection.trailing_data[0] if self._recycled else None

    @property
    def is_answering(self) -> bool:
        """Whether an answer has begun, and not ended."""
        return self.connection.our_state in (h11.SEND_BODY, h11.DONE, h11.MUST_CLOSE)

    async def _check_protocol(self, event: h11.Request) -> None:
        """Stay with HTTP/1.1; an upgrade is an offer, and no answer to it is one (RFC 9110, 7.8).

        A proxy that passes on an upgrade to `h2c`, which RFC 9113 has dropped, would see none of
        the requests that follow.
        """

    async def _create_stream(self, request: h11.Request) -> None:
        self._method = request.method.decode("ascii")
        self.stream = HTTPStream(
            self.app,
            self.config,
            self.context,
            self.task_group,
            self.ssl,
            self.client,
            self.server,
            self.stream_send,
            STREAM_ID,
        )
        await self.stream.handle(
            Request(
                stream_id=STREAM_ID,
                headers=list(request.headers),
                http_version=request.http_version.decode("ascii"),
                method=self._method,
                raw_path=request.target,
                state=self.connection_state,
            )
        )
        self.keep_alive_requests += 1

    async def _send_error_response(self, status_code: int) -> None:
        """Refuse a body in the thin lane's own bytes."""
        response = TRAILER_TOO_LARGE if status_code == TRAILER_TOO_LARGE.status else BAD_BODY
        without_body = self._method == "HEAD"
        data = Renderer().render(response, without_body=without_body, close=True)
        await self.send(RawData(data=data))

    async def _maybe_recycle(self) -> None:
        await self._close_stream()
        connection = self.connection
        self._recycled = connection.our_state is h11.DONE and connection.their_state is h11.DONE
        await self.send(Closed())
