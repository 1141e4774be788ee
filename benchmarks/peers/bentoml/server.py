"""A BentoML service with an endpoint per model."""

import argparse
import os
import sys
from pathlib import Path

import bentoml
import joblib
import numpy as np


@bentoml.service
class Classifier:
    """The models, by name."""

    def __init__(self) -> None:
        models = Path(os.environ["BENCHMARK_MODELS"])
        self._logistic = joblib.load(models / "logistic" / "model.joblib")
        self._forest = joblib.load(models / "forest" / "model.joblib")

    @bentoml.api
    def logistic(self, instances: np.ndarray) -> np.ndarray:
        """Predict with scaler and logistic regression."""
        return self._logistic.predict(instances)

    @bentoml.api
    def forest(self, instances: np.ndarray) -> np.ndarray:
        """Predict with the forest."""
        return self._forest.predict(instances)


def main() -> None:
    """Become ``bentoml serve``."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--models", type=Path, required=True)
    parser.add_argument("--http_port", required=True)
    args = parser.parse_args()
    home = Path(__file__).parent
    variables = {"BENCHMARK_MODELS": str(args.models), "BENTOML_DO_NOT_TRACK": "True"}
    command = ["-m", "bentoml", "serve", "server:Classifier", "--working-dir", str(home)]
    listen = ["--host", "127.0.0.1", "--port", args.http_port]
    os.execve(sys.executable, [sys.executable, *command, *listen], {**os.environ, **variables})


if __name__ == "__main__":
    main()
