"""What is loaded is kept out of the collector's way, and it works as before afterwards."""

import gc

import pytest

from server.loading import loading


def test_what_is_loaded_is_looked_at_no_more() -> None:
    with loading():
        assert not gc.isenabled()
        loaded = [object]

    assert gc.isenabled()
    assert not any(each is loaded for each in gc.get_objects())


def test_a_module_that_cannot_be_loaded_leaves_the_collector_on() -> None:
    with pytest.raises(ImportError), loading():
        raise ImportError

    assert gc.isenabled()
