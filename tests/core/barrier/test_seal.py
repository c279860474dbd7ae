"""The seal: configuration, the chain of keys, the progress of an unseal, the proof of a joiner."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from core.barrier.envelope import WrongKey
from core.barrier.keyring import Keyrings
from core.barrier.record import RecordDamaged
from core.barrier.seal import (
    InvalidSealConfig,
    InvalidShare,
    SealConfig,
    UnsealProgress,
    create_root_key,
    create_seal,
    open_answer,
    open_challenge,
    open_keyrings,
    open_root_key,
    seal_answer,
    seal_challenge,
    seal_keyrings,
    seal_root_key,
    verify_proof,
)
from core.barrier.shamir import combine
from tests.core.barrier.helpers import WALL_NS, SeededEntropy, examples

UNSEAL_KEY = bytes(range(32))
OTHER_KEY = bytes(32)


@pytest.mark.parametrize(
    ("shares", "threshold", "text"),
    [
        (0, 0, "shares must be at least one"),
        (-1, 1, "shares must be at least one"),
        (1, 0, "threshold must be at least one"),
        (2, 1, "threshold must be greater than one for multiple shares"),
        (256, 3, "shares must be less than 256"),
        (255, 256, "threshold must be less than 256"),
        (3, 4, "threshold cannot be larger than shares"),
        (1, 2, "threshold cannot be larger than shares"),
    ],
)
def test_numbers_that_do_not_fit_are_refused_in_the_words_of_vault(
    shares: int, threshold: int, text: str
) -> None:
    with pytest.raises(InvalidSealConfig) as refusal:
        SealConfig(shares, threshold)
    assert str(refusal.value) == text


@pytest.mark.parametrize(("shares", "threshold"), [(1, 1), (2, 2), (5, 3), (255, 255)])
def test_config_is_stored_and_read_again(shares: int, threshold: int) -> None:
    config = SealConfig(shares, threshold)

    assert SealConfig.decode(config.encode()) == config
    assert config.encode()[0] == 1


@given(st.binary(max_size=8))
@example(b"\x92\x05\x01")
@example(b"\x92\x05")
@example(b"")
@examples(100)
def test_decode_of_anything_else_is_damage(garbage: bytes) -> None:
    for encoded in (b"\x02" + garbage, b"\x01" + garbage):
        try:
            config = SealConfig.decode(encoded)
        except RecordDamaged:
            continue
        assert SealConfig.decode(config.encode()) == config


@pytest.mark.parametrize("encoded", [b"", b"\x02\x92\x05\x03", b"\x01\x92\x05\x01", b"\x01\x92"])
def test_damaged_config_is_named(encoded: bytes) -> None:
    with pytest.raises(RecordDamaged, match="the seal"):
        SealConfig.decode(encoded)


def test_shares_give_the_unseal_key() -> None:
    unseal_key, shares = create_seal(SealConfig(5, 3), SeededEntropy())

    assert len(unseal_key) == 32
    assert [len(share) for share in shares] == [33] * 5
    assert combine(shares[1:4]) == unseal_key


def test_single_share_is_the_unseal_key() -> None:
    unseal_key, shares = create_seal(SealConfig(1, 1), SeededEntropy())

    assert shares == [unseal_key]


def test_chain_of_keys_opens_from_the_unseal_key() -> None:
    entropy = SeededEntropy()
    keyrings = Keyrings.create(entropy, WALL_NS)
    root_key = create_root_key(entropy)
    sealed_root_key = seal_root_key(UNSEAL_KEY, root_key, entropy)
    sealed_keyrings = seal_keyrings(root_key, keyrings, entropy)

    assert len(root_key) == 32
    assert root_key not in sealed_root_key
    assert open_root_key(UNSEAL_KEY, sealed_root_key) == root_key
    assert open_keyrings(root_key, sealed_keyrings) == keyrings


def test_wrong_keys_open_nothing() -> None:
    entropy = SeededEntropy()
    sealed_root_key = seal_root_key(UNSEAL_KEY, OTHER_KEY, entropy)
    sealed_keyrings = seal_keyrings(UNSEAL_KEY, Keyrings.create(entropy, WALL_NS), entropy)

    with pytest.raises(WrongKey):
        open_root_key(OTHER_KEY, sealed_root_key)
    with pytest.raises(WrongKey):
        open_keyrings(OTHER_KEY, sealed_keyrings)
    with pytest.raises(WrongKey):
        open_root_key(UNSEAL_KEY, sealed_keyrings)


def test_unseal_goes_on_to_the_threshold_and_starts_anew() -> None:
    unseal_key, shares = create_seal(SealConfig(5, 3), SeededEntropy())
    progress = UnsealProgress(SealConfig(5, 3), SeededEntropy(1))
    assert (progress.progress, progress.nonce) == (0, "")

    assert progress.submit(shares[4]) is None
    nonce = progress.nonce
    assert (progress.progress, len(nonce)) == (1, 36)
    assert progress.submit(shares[0]) is None
    assert (progress.progress, progress.nonce) == (2, nonce)
    assert progress.submit(shares[2]) == unseal_key
    assert (progress.progress, progress.nonce) == (0, "")

    progress.submit(shares[0])
    assert progress.nonce != nonce


def test_same_share_again_changes_nothing() -> None:
    _, shares = create_seal(SealConfig(3, 2), SeededEntropy())
    progress = UnsealProgress(SealConfig(3, 2), SeededEntropy(1))
    progress.submit(shares[0])
    nonce = progress.nonce

    assert progress.submit(shares[0]) is None
    assert (progress.progress, progress.nonce) == (1, nonce)


def test_reset_forgets_all_shares() -> None:
    _, shares = create_seal(SealConfig(3, 2), SeededEntropy())
    progress = UnsealProgress(SealConfig(3, 2), SeededEntropy(1))
    progress.submit(shares[0])

    progress.reset()

    assert (progress.progress, progress.nonce) == (0, "")
    assert progress.submit(shares[1]) is None


def test_single_share_unseals_at_once() -> None:
    progress = UnsealProgress(SealConfig(1, 1), SeededEntropy(1))

    assert progress.submit(UNSEAL_KEY) == UNSEAL_KEY
    assert progress.progress == 0


def test_shares_that_cannot_belong_together_start_anew() -> None:
    progress = UnsealProgress(SealConfig(3, 2), SeededEntropy(1))
    progress.submit(bytes(32) + b"\x01")

    with pytest.raises(WrongKey, match="same x coordinate"):
        progress.submit(bytes([9] * 32) + b"\x01")
    assert (progress.progress, progress.nonce) == (0, "")


def test_wrong_share_gives_a_key_that_opens_nothing() -> None:
    unseal_key, shares = create_seal(SealConfig(3, 2), SeededEntropy())
    sealed = seal_root_key(unseal_key, OTHER_KEY, SeededEntropy())
    progress = UnsealProgress(SealConfig(3, 2), SeededEntropy(1))
    progress.submit(shares[0])
    wrong = progress.submit(bytes(32) + shares[1][-1:])

    assert wrong is not None
    with pytest.raises(WrongKey):
        open_root_key(wrong, sealed)


@pytest.mark.parametrize(("shares", "size"), [(1, 32), (3, 33)])
def test_share_of_another_length_is_refused_and_progress_stays(shares: int, size: int) -> None:
    progress = UnsealProgress(SealConfig(shares, shares), SeededEntropy(1))

    with pytest.raises(InvalidShare, match=f"^key is shorter than minimum {size} bytes$"):
        progress.submit(bytes(size - 1))
    with pytest.raises(InvalidShare, match=f"^key is longer than maximum {size} bytes$"):
        progress.submit(bytes(size + 1))
    assert (progress.progress, progress.nonce) == (0, "")


def test_joiner_proves_itself_and_opens_the_answer() -> None:
    entropy = SeededEntropy()
    challenge, sent = seal_challenge(UNSEAL_KEY, b"joiner", entropy)

    proof = open_challenge(UNSEAL_KEY, sent, b"joiner")
    verify_proof(challenge, proof)
    answer = seal_answer(UNSEAL_KEY, challenge, b"certificate", b"joiner", entropy)

    assert open_answer(UNSEAL_KEY, proof, answer, b"joiner") == b"certificate"
    assert challenge not in sent


def test_each_challenge_is_a_fresh_one() -> None:
    entropy = SeededEntropy()
    challenges = {seal_challenge(UNSEAL_KEY, b"joiner", entropy)[0] for _ in range(50)}

    assert len(challenges) == 50


def test_joiner_of_another_seal_opens_neither() -> None:
    entropy = SeededEntropy()
    challenge, sent = seal_challenge(UNSEAL_KEY, b"joiner", entropy)
    answer = seal_answer(UNSEAL_KEY, challenge, b"certificate", b"joiner", entropy)

    with pytest.raises(WrongKey):
        open_challenge(OTHER_KEY, sent, b"joiner")
    with pytest.raises(WrongKey):
        open_answer(OTHER_KEY, challenge, answer, b"joiner")


def test_challenge_of_one_request_does_not_open_for_another() -> None:
    """Else one in the middle could have an honest joiner open it."""
    _, sent = seal_challenge(UNSEAL_KEY, b"the one in the middle", SeededEntropy())

    with pytest.raises(WrongKey):
        open_challenge(UNSEAL_KEY, sent, b"joiner")


def test_answer_is_for_one_challenge_and_one_request() -> None:
    entropy = SeededEntropy()
    challenge, _ = seal_challenge(UNSEAL_KEY, b"joiner", entropy)
    answer = seal_answer(UNSEAL_KEY, challenge, b"certificate", b"joiner", entropy)
    other, _ = seal_challenge(UNSEAL_KEY, b"joiner", entropy)

    with pytest.raises(WrongKey):
        open_answer(UNSEAL_KEY, other, answer, b"joiner")
    with pytest.raises(WrongKey):
        open_answer(UNSEAL_KEY, challenge, answer, b"other")


@pytest.mark.parametrize("proof", [b"", bytes(32), bytes(64)])
def test_wrong_proof_is_refused(proof: bytes) -> None:
    challenge, _ = seal_challenge(UNSEAL_KEY, b"joiner", SeededEntropy())

    with pytest.raises(WrongKey, match="not opened"):
        verify_proof(challenge, proof)
