"""Why something failed, in the words that go on a sentence for people.

Owns what is left out: the numbers and quotes that Python puts around what the system says.
"""


def reason_of(error: Exception) -> str:
    """Return what the operating system says, or else what the error does."""
    said = error.strerror if isinstance(error, OSError) else None
    return said or str(error) or type(error).__name__
