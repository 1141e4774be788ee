"""Servers behind a mesh: each answers with a class of its own, so that an answer tells whose it is."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier

from model.artifact import publish
from tests.deploy.mesh import Issuer
from tests.deploy.rendering import container, values_of
from tests.servers import ServerProcess

CLASSES = {"iris": 1, "iris-canary": 2, "churn": 3}
_X = np.array([[0.0, 0.5], [0.25, 1.0], [1.0, 0.0]])


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, ServerProcess]]:
    """Start the servers of ``ci/auth-values.yaml`` with the flags that the chart gives them, but for directories and ports."""
    with ExitStack() as stack:
        found = {}
        for service, answer in CLASSES.items():
            name, root = service.removesuffix("-canary"), tmp_path_factory.mktemp(service)
            publish(
                DummyClassifier(strategy="constant", constant=answer).fit(_X, [1, 2, 3]),
                _X,
                name=name,
                root=root,
                accelerate=False,
            )
            flags = container(values_of("auth"), service)["args"]
            given = [each for each in flags if not each.startswith("--model_dir=")]
            assert f"--model_name={name}" in given
            server = ServerProcess(*given, "--model_dir", str(root / name), "--drain_seconds", "0")
            found[service] = stack.enter_context(server)
        for server in found.values():
            server.wait_for("ready", timeout_seconds=90)
        yield found


@pytest.fixture(scope="session")
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture(scope="session")
def mesh_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mesh")
