"""The joiner's side of joining a cluster; `core.vault.joining` is the cluster's.

The driver carries the joiner's questions to the cluster's API (`AskCluster`) and brings back the
answers. First the challenge; once operators have given this node the shares, the proof; what
comes back is this node's certificate.
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
from core.moment import NANOSECONDS_PER_SECOND
from core.node.info import NodeInfo
from core.raft.configuration import decode
from core.raft.state import NEVER
from core.request import Response
from core.vault import authority, joining
from core.vault.envelope import encode, failure

PROOFS_MAX: Final = 60
"""How often a proof is repeated that the cluster could not look at."""
PROOF_RETRY_NS: Final = NANOSECONDS_PER_SECOND

_SUPERSEDED: Final = failure(400, "another request to join has taken the place of this one")
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


_decode_challenge: Final = msgspec.json.Decoder(_ChallengeAnswer).decode
_decode_welcome: Final = msgspec.json.Decoder(_WelcomeAnswer).decode


class Admission:
    """One node's attempt to join a cluster.

    Attributes:
        config: the numbers of shares of that cluster, once it has told them.
        deadline_ns: when the proof is repeated (monotonic).
    """

    __slots__ = (
        "_address",
        "_challenge",
        "_entropy",
        "_handle",
        "_info",
        "_key",
        "_proofs_left",
        "_question",
        "_request",
        "_ticket",
        "_unseal_challenge",
        "_welcomed",
        "config",
        "deadline_ns",
    )

    def __init__(self, info: NodeInfo, entropy: Entropy) -> None:
        self._info = info
        self._entropy = entropy
        self._handle = 0
        self._address: ClusterAddress | None = None
        self._request: joining.JoinRequest | None = None
        self._key = b""
        self._ticket = ""
        self._challenge = b""
        self._unseal_challenge: tuple[bytes, bytes] | None = None
        self._proofs_left = 0
        self._welcomed = False
        self._question = 0
        self.config: seal.SealConfig | None = None
        self.deadline_ns = NEVER

    @property
    def under_way(self) -> bool:
        """Whether this node has asked to join."""
        return self._address is not None

    def ask(self, handle: int, body: dict[str, Any], effects: list[Effect]) -> Response | None:
        """Ask the cluster at `leader_api_addr` for a challenge.

        What was asked before counts no more, whether it was answered or not.
        """
        address = ClusterAddress(
            _text(body, "leader_api_addr"),
            _text(body, "leader_ca_cert"),
            _text(body, "leader_client_cert"),
            _text(body, "leader_client_key"),
            _text(body, "leader_tls_servername"),
        )
        if not address.api_address:
            raise RequestError(400, "leader_api_addr is required")
        info = self._info
        self._key = authority.create_key(self._entropy)
        self._request = joining.JoinRequest(
            info.node,
            info.name,
            info.cluster_address,
            info.api_address,
            authority.public_key(self._key),
            body.get("non_voter") is True,
        )
        if self._handle:
            effects.append(Answer(self._handle, _SUPERSEDED))
        self._address = address
        self._challenge = b""
        self._unseal_challenge = None
        self._welcomed = False
        self._handle = handle
        self.config = None
        self.deadline_ns = NEVER
        question = {
            "node_id": info.node,
            "node_name": info.name,
            "cluster_address": info.cluster_address,
            "api_address": info.api_address,
            "public_key": base64.b64encode(self._request.public_key).decode(),
            "non_voter": self._request.stays_learner,
        }
        self._ask(address, joining.CHALLENGE_PATH, encode(question), effects)
        return None

    def _ask(self, address: ClusterAddress, path: str, body: bytes, effects: list[Effect]) -> None:
        self._question += 1
        effects.append(AskCluster(self._question, address, path, body))

    def answered(self, answer: ClusterAnswered, now_ns: int, effects: list[Effect]) -> None:
        """Take in the cluster's answer to the latest question; earlier ones have been replaced."""
        path, response = answer.path, answer.response
        if self._address is None or self._request is None or answer.question != self._question:
            return
        if response.status != _OK:
            # It may have no leader now, or be taking in another joiner; a proof stays good.
            again = path == joining.ANSWER_PATH and response.status not in _CALLERS_FAULT
            if again and self._proofs_left:
                self.deadline_ns = now_ns + PROOF_RETRY_NS
                report = Report(
                    "the cluster cannot let this node in yet", {"reason": _reason(response)}
                )
                effects.append(report)
            else:
                self._give_up(_reason(response), effects)
            return
        try:
            if path == joining.CHALLENGE_PATH:
                self._take_challenge(_decode_challenge(response.body).data, effects)
            else:
                self._take_welcome(_decode_welcome(response.body).data, effects)
        except (msgspec.MsgspecError, ValueError, RecursionError, WrongKey) as error:
            self._give_up(str(error), effects)

    def prove(self, unseal_key: bytes, effects: list[Effect]) -> None:
        """Open the challenge with the unseal key and return it to the cluster, once.

        Whoever gives the shares again while that is under way, or after it, changes nothing: a
        proof that came late would let the node in again after it has been removed.

        Raises:
            WrongKey: this is not the unseal key of that cluster.
        """
        if self._request is None or self._address is None or not self._challenge:
            raise WrongKey("this node has not asked to join a cluster")
        context = joining.context_of(self._request)
        challenge = seal.open_challenge(unseal_key, self._challenge, context)
        if self._unseal_challenge is None and not self._welcomed:
            self._unseal_challenge = (unseal_key, challenge)
            self._proofs_left = PROOFS_MAX
            self._send_proof(effects)

    def tick(self, now_ns: int, effects: list[Effect]) -> None:
        """Repeat a proof that the cluster could not look at."""
        if now_ns >= self.deadline_ns:
            self.deadline_ns = NEVER
            self._send_proof(effects)

    def _send_proof(self, effects: list[Effect]) -> None:
        if self._address is None or self._unseal_challenge is None:
            return
        self._proofs_left -= 1
        _, challenge = self._unseal_challenge
        proof = {"ticket": self._ticket, "answer": base64.b64encode(challenge).decode()}
        self._ask(self._address, joining.ANSWER_PATH, encode(proof), effects)

    def _take_challenge(self, answer: _Challenge, effects: list[Effect]) -> None:
        numbers = answer.seal_config
        self.config = seal.SealConfig(numbers.secret_shares, numbers.secret_threshold)
        self._challenge = answer.challenge
        self._ticket = answer.ticket
        effects.append(Report("the cluster has sent its challenge; unseal this node", {}))
        self._tell({"joined": True}, effects)

    def _take_welcome(self, answer: _Welcome, effects: list[Effect]) -> None:
        if self._unseal_challenge is None or self._request is None:
            return
        unseal_key, challenge = self._unseal_challenge
        context = joining.context_of(self._request)
        welcome = msgspec.msgpack.decode(
            seal.open_answer(unseal_key, challenge, answer.welcome, context),
            type=joining.Welcome,
        )
        effects.append(
            IssueIdentity(welcome.certificate, self._key, welcome.authority, welcome.cluster)
        )
        effects.append(AdmitPeers(decode(welcome.configuration)))
        self._unseal_challenge = None
        self._welcomed = True

    def _give_up(self, reason: str, effects: list[Effect]) -> None:
        self._unseal_challenge = None
        effects.append(Report("could not join the cluster", {"reason": reason}))
        if self._handle:
            effects.append(Answer(self._handle, failure(500, f"failed to join: {reason}")))
            self._handle = 0
        if self.config is None:
            self._address = None

    def _tell(self, body: dict[str, Any], effects: list[Effect]) -> None:
        if self._handle:
            effects.append(Answer(self._handle, Response(_OK, encode(body) + b"\n")))
            self._handle = 0


def _text(body: dict[str, Any], field: str) -> str:
    text = body.get(field, "")
    if not isinstance(text, str):
        raise RequestError(400, f"{field} must be text")
    return text


def _reason(response: Response) -> str:
    return f"it answered {response.status} {response.body[:200].decode(errors='replace').strip()}"
