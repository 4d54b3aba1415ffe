"""What the tests of this folder share."""

from collections.abc import Iterator

import pytest
from support.calls import Calls


@pytest.fixture
def the_server_goes_on(calls: Calls) -> Iterator[None]:
    """After each bad input, a good call is answered."""
    yield
    assert calls.check(customer_id=calls.new_customer()).message
