"""Every fault of a request, on both protocols: the same status by the matrix, and the same sentence."""

import re

import pytest

from tests.protocol.faults import Fault, shared
from tests.protocol.faults_grpc import MESSAGES
from tests.protocol.faults_rest import BINARY, BODIES, OTHERS, values
from tests.protocol.refusals import over_grpc, over_rest
from tests.protocol.wires import Clients

FAULTS = [*shared(), *values(), *BODIES, *BINARY, *OTHERS, *MESSAGES]


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault.body is not None], ids=str)
def test_rest_refuses(clients: Clients, fault: Fault) -> None:
    refusal = over_rest(clients.post(fault.path, fault.body, **fault.headers))
    assert refusal.status == fault.status[0]
    assert re.fullmatch(fault.says, refusal.sentence), refusal.sentence


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault.grpc is not None], ids=str)
def test_grpc_refuses(clients: Clients, fault: Fault) -> None:
    refusal = over_grpc(clients, "ModelInfer", fault.grpc or b"")
    assert refusal.status == fault.status[1]
    assert re.fullmatch(fault.says, refusal.sentence), refusal.sentence


@pytest.mark.parametrize(
    "fault", [fault for fault in FAULTS if fault.body is not None and fault.grpc is not None], ids=str
)
def test_both_protocols_say_the_same(clients: Clients, fault: Fault) -> None:
    rest = over_rest(clients.post(fault.path, fault.body, **fault.headers))
    assert rest.sentence == over_grpc(clients, "ModelInfer", fault.grpc or b"").sentence
