"""KServe's own model server with our models in it: ``python -m tests.clients.scripts.kserve_server ROOT``."""

import sys
from pathlib import Path
from typing import Any

import kserve

from model.kserve_model import Payload, SklearnModel
from tests.clients.asked import BIRDS, GRAMS_PER_MILLIMETRE, POINTS, SLEEPER, UNBILLED


class UnbilledBirds(SklearnModel):
    """Adds what the model was fitted on and clients do not send: bills, in proportion to the mass."""

    async def preprocess(self, payload: Payload, headers: Any = None) -> Payload:
        if isinstance(payload, kserve.InferRequest):
            mass = payload.get_input_by_name("mass")
            payload.inputs.append(kserve.InferInput("bill", mass.shape, "FP64", mass.as_numpy() / GRAMS_PER_MILLIMETRE))
        elif isinstance(payload, dict):
            payload["instances"] = [row | {"bill": row["mass"] / GRAMS_PER_MILLIMETRE} for row in payload["instances"]]
        return payload


def main(root: Path) -> None:
    """Load the models, and serve them on the ports that KServe's own flags name."""
    models = [
        SklearnModel(BIRDS, root / BIRDS / "2"),
        SklearnModel(POINTS, root / POINTS / "1"),
        SklearnModel(SLEEPER, root / SLEEPER / "1"),
        UnbilledBirds(UNBILLED, root / BIRDS / "2", require_manifest=True),
    ]
    for model in models:
        model.load()
    kserve.ModelServer().start(models)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
