"""Which route a path takes."""

import pytest

from core.vault.routes import Route, Routes

PATTERNS = ("mounts", "mounts/*", "mounts/*/tune", "mounts/auth/*", "*/tune")


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("mounts", ("mounts", "")),
        ("mounts/", ("mounts", "")),
        ("mounts/a", ("mounts/*", "a")),
        ("mounts/a/b/", ("mounts/*", "a/b")),
        ("mounts/a/b/tune", ("mounts/*/tune", "a/b")),
        ("mounts/tune", ("mounts/*", "tune")),
        ("mounts//tune", ("mounts/*", "/tune")),
        ("mounts/auth/a/tune", ("mounts/*/tune", "auth/a")),
        ("mounts/auth/a", ("mounts/auth/*", "a")),
        ("a/tune", ("*/tune", "a")),
        ("/tune", None),
        ("mount", None),
        ("", None),
    ],
)
def test_the_closest_pattern_wins(path: str, found: tuple[str, str] | None) -> None:
    """An exact one first, then the one with the most letters; the wildcard is never empty."""
    routes = Routes([Route(pattern) for pattern in PATTERNS])
    place = routes.find(path)

    assert found == (None if place is None else (place[0].pattern, place[1]))
