"""A stock KServe server that does what KServe's sklearnserver does: load with joblib, call predict on the array."""

import argparse
from pathlib import Path

import joblib
from kserve import InferRequest, InferResponse, Model, ModelServer
from kserve.utils.utils import get_predict_input, get_predict_response


class SklearnModel(Model):
    """One model, answering V1 and V2."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory.name)
        self._file = directory / "model.joblib"

    def load(self) -> bool:
        """Read the pickle."""
        self._model = joblib.load(self._file)
        self.ready = True
        return self.ready

    def predict(self, payload: InferRequest | dict, headers: dict[str, str] | None = None) -> InferResponse | dict:  # noqa: ARG002 -- KServe passes them
        """Predict, in the event loop as KServe calls it."""
        answers = self._model.predict(get_predict_input(payload))
        return get_predict_response(payload, answers, self.name)


def main() -> None:
    """Serve every model in a directory."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--models", type=Path, required=True)
    parser.add_argument("--http_port", type=int, required=True)
    parser.add_argument("--grpc_port", type=int, required=True)
    args = parser.parse_args()
    models = [SklearnModel(file.parent) for file in args.models.glob("*/model.joblib")]
    for model in models:
        model.load()
    ModelServer(http_port=args.http_port, grpc_port=args.grpc_port, workers=1).start(models)


if __name__ == "__main__":
    main()
