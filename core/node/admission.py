"""The joiner's side of joining a cluster; `core.vault.joining` is the cluster's.

The driver carries the joiner's questions to the cluster's API (`AskCluster`) and brings back the
answers. First the challenge; once operators have given this node the shares, the proof; what
comes back is this node's certificate. If they took so long that the ticket has expired, a new
challenge is asked for and proved at once: they don't have to come again.
"""

import base64
from typing import Any, Final

import msgspec

from core.barrier import seal
from core.barrier.envelope import WrongKey
from core.effects import (
    AdmitPeers,
    Answer,
    AskCluster,
    ClusterAddress,
    Effect,
    IssueIdentity,
    Report,
)
from core.engines.call import RequestError
from core.entropy import Entropy
from core.events import ClusterAnswered
from core.moment import NANOSECONDS_PER_SECOND, NEVER
from core.node.info import NodeInfo
from core.raft.configuration import decode
from core.request import Response
from core.vault import authority, joining
from core.vault.envelope import encode, failure

QUESTIONS_MAX: Final = 60
"""How often a cluster is asked that could not look at a proof, or wants another."""
RETRY_NS: Final = NANOSECONDS_PER_SECOND

_SUPERSEDED: Final = failure(400, "another request to join has taken the place of this one")
_REASON_LENGTH_MAX: Final = 200
_OK: Final = 200
_CALLERS_FAULT: Final = range(400, 500)


class _SealNumbers(msgspec.Struct, frozen=True):
    secret_shares: int
    secret_threshold: int


class _Challenge(msgspec.Struct, frozen=True):
    challenge: bytes
    ticket: str
    seal_config: _SealNumbers


class _Welcome(msgspec.Struct, frozen=True):
    welcome: bytes


class _ChallengeAnswer(msgspec.Struct, frozen=True):
    data: _Challenge


class _WelcomeAnswer(msgspec.Struct, frozen=True):
    data: _Welcome


class _Refusal(msgspec.Struct, frozen=True):
    errors: list[str]


_decode_challenge: Final = msgspec.json.Decoder(_ChallengeAnswer).decode
_decode_welcome: Final = msgspec.json.Decoder(_WelcomeAnswer).decode
_decode_refusal: Final = msgspec.json.Decoder(_Refusal).decode


class _Attempt:
    """One request to join, from the question to the certificate.

    Attributes:
        handle: names the operator's answer; 0 once it was given.
        address: where the cluster is asked.
        request: what it is asked for.
        key: PEM of the private key that the certificate is for; forgotten when handed on.
        challenge: what proves the seal, as the cluster sent it; empty before that.
        ticket: what the cluster sent along with it; empty before that, and once it has expired.
        unseal_key: what the operators have given, while a proof is under way; else empty.
        questions_left: how often the cluster may still be asked until it looks at a proof.
        welcomed: the certificate has come.
    """

    __slots__ = (
        "address",
        "challenge",
        "handle",
        "key",
        "questions_left",
        "request",
        "ticket",
        "unseal_key",
        "welcomed",
    )

    def __init__(
        self, handle: int, address: ClusterAddress, request: joining.JoinRequest, key: bytes
    ) -> None:
        self.handle = handle
        self.address = address
        self.request = request
        self.key = key
        self.challenge = b""
        self.ticket = ""
        self.unseal_key = b""
        self.questions_left = QUESTIONS_MAX
        self.welcomed = False

    def opened(self, unseal_key: bytes) -> bytes:
        """Return the challenge in the clear.

        Raises:
            WrongKey: this is not the unseal key of that cluster.
        """
        return seal.open_challenge(unseal_key, self.challenge, joining.context_of(self.request))

    def tell(self, response: Response, effects: list[Effect]) -> None:
        """Answer the operator, once."""
        if self.handle:
            effects.append(Answer(self.handle, response))
            self.handle = 0


class Admission:
    """One node's way into a cluster.

    Attributes:
        config: the numbers of shares of that cluster, once it has told them.
        deadline_ns: when the cluster is asked again to look at the proof (monotonic).
    """

    __slots__ = ("_attempt", "_entropy", "_info", "_question", "config", "deadline_ns")

    def __init__(self, info: NodeInfo, entropy: Entropy) -> None:
        self._info = info
        self._entropy = entropy
        self._attempt: _Attempt | None = None
        self._question = 0
        self.config: seal.SealConfig | None = None
        self.deadline_ns = NEVER

    @property
    def under_way(self) -> bool:
        """Whether this node has asked to join."""
        return self._attempt is not None

    def ask(self, handle: int, body: dict[str, Any], effects: list[Effect]) -> None:
        """Ask the cluster at `leader_api_addr` for a challenge.

        What was asked before counts no more, whether it was answered or not.

        Raises:
            RequestError: the body does not say whom to ask.
        """
        address = _address(body)
        info = self._info
        key = authority.create_key(self._entropy)
        request = joining.JoinRequest(
            info.node,
            info.name,
            info.cluster_address,
            info.api_address,
            authority.public_key(key),
            body.get("non_voter") is True,
        )
        if self._attempt is not None:
            self._attempt.tell(_SUPERSEDED, effects)
        self._attempt = _Attempt(handle, address, request, key)
        self.config = None
        self.deadline_ns = NEVER
        self._ask_for_challenge(self._attempt, effects)

    def _ask_for_challenge(self, attempt: _Attempt, effects: list[Effect]) -> None:
        request = attempt.request
        question = {
            "node_id": request.node,
            "node_name": request.name,
            "cluster_address": request.cluster_address,
            "api_address": request.api_address,
            "public_key": base64.b64encode(request.public_key).decode(),
            "non_voter": request.stays_learner,
        }
        self._ask(attempt.address, joining.CHALLENGE_PATH, encode(question), effects)

    def _ask(self, address: ClusterAddress, path: str, body: bytes, effects: list[Effect]) -> None:
        self._question += 1
        effects.append(AskCluster(self._question, address, path, body))

    def answered(self, answer: ClusterAnswered, now_ns: int, effects: list[Effect]) -> None:
        """Take in the cluster's answer to the latest question; earlier ones have been replaced."""
        attempt, path, response = self._attempt, answer.path, answer.response
        if attempt is None or answer.question != self._question:
            return
        if response.status != _OK:
            self._refused(attempt, path, response, now_ns, effects)
            return
        try:
            if path == joining.CHALLENGE_PATH:
                self._take_challenge(attempt, _decode_challenge(response.body).data, effects)
            else:
                _take_welcome(attempt, _decode_welcome(response.body).data, effects)
        except (msgspec.MsgspecError, ValueError, RecursionError, WrongKey) as error:
            self._give_up(attempt, str(error), effects)

    def _refused(
        self,
        attempt: _Attempt,
        path: str,
        response: Response,
        now_ns: int,
        effects: list[Effect],
    ) -> None:
        """Ask again, at once or after a pause, if the shares that were given may still do."""
        reason = _reason(response)
        if not attempt.unseal_key or attempt.questions_left <= 0:
            self._give_up(attempt, reason, effects)
        elif response.status not in _CALLERS_FAULT:
            # It may have no leader now, or be taking in another joiner; a proof stays good.
            self.deadline_ns = now_ns + RETRY_NS
            report = Report("the cluster cannot let this node in yet", {"reason": reason})
            effects.append(report)
        elif path == joining.ANSWER_PATH and response.status == joining.TICKET_EXPIRED:
            attempt.ticket = ""
            effects.append(Report("the ticket has expired; asking for another challenge", {}))
            self._ask_again(attempt, effects)
        else:
            self._give_up(attempt, reason, effects)

    def prove(self, unseal_key: bytes, effects: list[Effect]) -> None:
        """Open the challenge with the unseal key and return it to the cluster, once.

        Whoever gives the shares again while that is under way, or after it, changes nothing: a
        proof that came late would let the node in again after it has been removed.

        Raises:
            WrongKey: this is not the unseal key of that cluster.
        """
        attempt = self._attempt
        if attempt is None or not attempt.challenge:
            raise WrongKey("this node has not asked to join a cluster")
        attempt.opened(unseal_key)
        if not attempt.unseal_key and not attempt.welcomed:
            attempt.unseal_key = unseal_key
            attempt.questions_left = QUESTIONS_MAX
            self._ask_again(attempt, effects)

    def tick(self, now_ns: int, effects: list[Effect]) -> None:
        """Ask a cluster again that could not look at a proof."""
        if now_ns >= self.deadline_ns:
            self.deadline_ns = NEVER
            if self._attempt is not None and self._attempt.unseal_key:
                self._ask_again(self._attempt, effects)

    def _ask_again(self, attempt: _Attempt, effects: list[Effect]) -> None:
        """Send the proof, or ask for another challenge if the ticket has expired."""
        attempt.questions_left -= 1
        if not attempt.ticket:
            self._ask_for_challenge(attempt, effects)
            return
        answer = base64.b64encode(attempt.opened(attempt.unseal_key)).decode()
        proof = {"ticket": attempt.ticket, "answer": answer}
        self._ask(attempt.address, joining.ANSWER_PATH, encode(proof), effects)

    def _take_challenge(self, attempt: _Attempt, answer: _Challenge, effects: list[Effect]) -> None:
        numbers = answer.seal_config
        self.config = seal.SealConfig(numbers.secret_shares, numbers.secret_threshold)
        attempt.challenge = answer.challenge
        attempt.ticket = answer.ticket
        if attempt.unseal_key:
            self._ask_again(attempt, effects)
            return
        effects.append(Report("the cluster has sent its challenge; unseal this node", {}))
        attempt.tell(Response(_OK, encode({"joined": True}) + b"\n"), effects)

    def _give_up(self, attempt: _Attempt, reason: str, effects: list[Effect]) -> None:
        attempt.unseal_key = b""
        effects.append(Report("could not join the cluster", {"reason": reason}, "warning"))
        attempt.tell(failure(500, f"failed to join: {reason}"), effects)
        if self.config is None:
            self._attempt = None


def _take_welcome(attempt: _Attempt, answer: _Welcome, effects: list[Effect]) -> None:
    if not attempt.unseal_key:
        return
    context = joining.context_of(attempt.request)
    welcome = msgspec.msgpack.decode(
        seal.open_answer(
            attempt.unseal_key, attempt.opened(attempt.unseal_key), answer.welcome, context
        ),
        type=joining.Welcome,
    )
    configuration = decode(welcome.configuration)
    effects.append(
        IssueIdentity(welcome.certificate, attempt.key, welcome.authority, welcome.cluster)
    )
    effects.append(AdmitPeers(configuration))
    attempt.unseal_key = b""
    attempt.key = b""
    attempt.welcomed = True


def _address(body: dict[str, Any]) -> ClusterAddress:
    address = ClusterAddress(
        _text(body, "leader_api_addr"),
        _text(body, "leader_ca_cert"),
        _text(body, "leader_client_cert"),
        _text(body, "leader_client_key"),
        _text(body, "leader_tls_servername"),
    )
    if not address.api_address:
        raise RequestError(400, "leader_api_addr is required")
    return address


def _text(body: dict[str, Any], field: str) -> str:
    text = body.get(field, "")
    if not isinstance(text, str):
        raise RequestError(400, f"{field} must be text")
    return text


def _reason(response: Response) -> str:
    """Return what the cluster has said, or why it has said nothing."""
    try:
        said = "; ".join(_decode_refusal(response.body).errors)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        said = response.body.decode(errors="replace").strip()
    said = said[:_REASON_LENGTH_MAX]
    return f"it answered {response.status}: {said}" if response.status else said
