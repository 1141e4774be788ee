"""Who is admitted, and who is refused."""

import pytest

from model.admission import Admission
from model.errors import Overloaded


def test_it_refuses_at_once_what_is_over_the_limit() -> None:
    admission = Admission(2)
    admission.enter()
    admission.enter()
    for refused in (admission.check, admission.enter):
        with pytest.raises(Overloaded) as caught:
            refused()
        assert str(caught.value) == "The requests in flight have reached the limit of 2; try again later."
    assert admission.in_flight == 2


def test_it_admits_again_when_one_has_left() -> None:
    admission = Admission(1)
    for _ in range(3):
        admission.check()
        admission.enter()
        assert admission.in_flight == 1
        admission.leave()
    assert admission.in_flight == 0
