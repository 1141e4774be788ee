"""Requests that wait within a model until a test lets them go on; see ``Gate`` in ``user_code``."""

import time
from pathlib import Path
from typing import Any

from tests.protocol.encodings import Ask, Sent


class Gates:
    """Doors that requests wait at within the model, by their tickets; each ticket is used once."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._tickets = iter(range(1, 1000))

    def ticket(self) -> int:
        return next(self._tickets)

    def runs(self, ticket: int) -> bool:
        return (self.directory / f"run-{ticket}").exists()

    def wait_for(self, ticket: int) -> None:
        end = time.monotonic() + 20
        while not self.runs(ticket):
            assert time.monotonic() < end, f"ticket {ticket} did not come in time"
            time.sleep(0.005)

    def open(self, ticket: int) -> None:
        (self.directory / f"open-{ticket}").touch()


def gate(ticket: int, **parameters: Any) -> Ask:
    return Ask("gate", (Sent("input-0", "FP64", (1, 1), (float(ticket),)),), parameters=parameters)
