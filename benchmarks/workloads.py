"""The work that is measured, and what this server is to reach in it."""

from dataclasses import dataclass
from typing import Final, Literal

Protocol = Literal["rest", "grpc"]

OURS: Final = "sklearn-kserve"
PLAIN: Final = "sklearn-kserve-no-engine"
"""This server with a model that scikit-learn itself answers, which leaves batching alone to make a difference."""
STOCK: Final = ("kserve", "mlserver")
"""What a model gets from KServe without this server; ratios are against the better of them."""
CEILING: Final = "echo"
CONCURRENCY: Final = 16
"""Connections over REST, streams of one connection over gRPC."""


@dataclass(frozen=True, slots=True)
class Workload:
    """
    One kind of request, sent at ``CONCURRENCY``.

    Parameters
    ----------
    name, title : str
    protocol : {"rest", "grpc"}
    model : str
    rows : int
        In a request.
    target : float
        Requests per second that this server is to reach, as a multiple of the better stock server.
    plain_target : float
        The same where scikit-learn itself answers; 0 where that is not measured.
    lower_p99 : bool
        Whether the 99th percentile of the latency is to be lower than that of the better stock server.
    """

    name: str
    title: str
    protocol: Protocol
    model: str
    rows: int
    target: float
    plain_target: float = 0
    lower_p99: bool = False

    def target_of(self, server: str) -> float:
        """Return what a server is to reach, 0 for nothing."""
        return {OURS: self.target, PLAIN: self.plain_target}.get(server, 0)


WORKLOADS: Final = (
    Workload("rest-1-logistic", "REST, 1 row, logistic regression", "rest", "logistic", 1, 10, lower_p99=True),
    Workload("rest-1-forest", "REST, 1 row, forest", "rest", "forest", 1, 75, 5),
    Workload("rest-64-logistic", "REST, 64 rows, logistic regression", "rest", "logistic", 64, 4),
    Workload("rest-64-forest", "REST, 64 rows, forest", "rest", "forest", 64, 15),
    Workload("grpc-1-logistic", "gRPC raw, 1 row, logistic regression", "grpc", "logistic", 1, 2.5),
    Workload("grpc-1-forest", "gRPC raw, 1 row, forest", "grpc", "forest", 1, 15),
)
