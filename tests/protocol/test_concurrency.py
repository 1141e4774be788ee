"""Many clients at once, of both protocols and of several models: everybody gets their own answer."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import grpc

from tests.protocol.encodings import Answer, Ask, message, read_grpc, same
from tests.protocol.layouts import Case, ask, outputs_of, rows_for
from tests.protocol.wires import WIRES, Clients

LAST_BITS = 1e-12
"""BLAS adds up in another order where rows of several requests are answered together."""
MODELS = ("mixed_columns", "fish", "text_column", "logistic_regression", "multi_output_forest", "ridge")


def test_everybody_gets_their_own_answer(clients: Clients) -> None:
    requests: list[Ask] = []
    for model in MODELS:
        whole = ask(clients, Case(model, "columns"), rows_for(model, gaps=False), outputs_of(clients, model))
        for row in range(3):
            inputs = tuple(replace(sent, shape=(1,), values=sent.values[row : row + 1]) for sent in whole.inputs)
            requests.append(replace(whole, inputs=inputs, id=f"{model} {row}"))
    alone = [WIRES["json_flat"](clients, request) for request in requests]
    jobs = [(wire, index) for _ in range(5) for wire in WIRES for index in range(len(requests))]

    def run(job: tuple[str, int]) -> Answer:
        wire, index = job
        return WIRES[wire](clients, requests[index])

    with ThreadPoolExecutor(24) as threads:
        answers = list(threads.map(run, jobs))
    assert len(jobs) == 720
    assert [
        job for job, answer in zip(jobs, answers, strict=True) if not same(answer, alone[job[1]], rtol=LAST_BITS)
    ] == []


def test_a_call_may_be_compressed(clients: Clients) -> None:
    request = ask(clients, Case("fish", "columns"), rows_for("fish", gaps=False), ())
    plain = clients.call("ModelInfer", message(request))
    with grpc.insecure_channel(f"127.0.0.1:{clients.server.grpc_port}", compression=grpc.Compression.Gzip) as channel:
        compressed = replace(clients, channel=channel).call("ModelInfer", message(request))
    assert same(read_grpc(compressed), read_grpc(plain))
