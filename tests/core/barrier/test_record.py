"""The sealed form of a value."""

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from core.barrier.record import OVERHEAD, RecordCipher, RecordDamaged
from core.check import InvariantBroken
from tests.core.barrier.helpers import examples

KEY = b"\x02storage key"
NONCE = bytes.fromhex("cafebabefacedbaddecaf888")
CIPHER_KEY = bytes.fromhex("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308")


def test_cipher_gives_the_published_vector() -> None:
    """Test case 16 of McGrew and Viega, "The Galois/Counter Mode of Operation", appendix B."""
    plaintext = bytes.fromhex(
        "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
        "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"
    )
    associated_data = bytes.fromhex("feedfacedeadbeeffeedfacedeadbeefabaddad2")
    expected = bytes.fromhex(
        "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
        "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
        "76fc6ece0f4e1768cddf8853bb2d551b"
    )

    assert AESGCM(CIPHER_KEY).encrypt(NONCE, plaintext, associated_data) == expected


def test_record_is_header_nonce_and_ciphertext_bound_to_its_place() -> None:
    actual = RecordCipher(0x01020304, CIPHER_KEY).seal(KEY, b"value", NONCE)

    header = b"\x01\x01\x02\x03\x04"
    ciphertext = AESGCM(CIPHER_KEY).encrypt(NONCE, b"value", header + KEY)
    assert actual == header + NONCE + ciphertext
    assert len(actual) == len(b"value") + OVERHEAD


@given(plaintext=st.binary(max_size=400))
@examples(30)
def test_open_gives_back_what_was_sealed(plaintext: bytes) -> None:
    cipher = RecordCipher(7, CIPHER_KEY)

    assert cipher.open(KEY, cipher.seal(KEY, plaintext, NONCE)) == plaintext


def test_no_bit_of_a_record_can_change() -> None:
    cipher = RecordCipher(7, CIPHER_KEY)
    sealed = cipher.seal(KEY, b"value", NONCE)
    for bit in range(8 * len(sealed)):
        changed = bytearray(sealed)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(RecordDamaged):
            cipher.open(KEY, bytes(changed))


def test_no_record_can_be_cut_short() -> None:
    cipher = RecordCipher(7, CIPHER_KEY)
    sealed = cipher.seal(KEY, b"value", NONCE)
    for size in range(len(sealed)):
        with pytest.raises(RecordDamaged, match="does not open"):
            cipher.open(KEY, sealed[:size])


def test_record_opens_nowhere_else() -> None:
    cipher = RecordCipher(7, CIPHER_KEY)
    sealed = cipher.seal(KEY, b"value", NONCE)

    with pytest.raises(RecordDamaged):
        cipher.open(KEY + b"\x00", sealed)


def test_damage_stops_the_node() -> None:
    assert issubclass(RecordDamaged, InvariantBroken)
