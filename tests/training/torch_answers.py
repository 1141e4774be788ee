"""
What torch itself answers to rows, by the checkpoint that lies in a version, as JSON.

    var/torch/bin/python -m tests.training.torch_answers VERSION_DIR CODE_DIR < ROWS
"""

import json
import sys
from importlib import import_module
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import torch


def answers(version: Path, rows: pd.DataFrame) -> list[list[float]]:
    """Return what the network answers to rows of shape (n_samples, n_features), probabilities where it has classes."""
    saved = torch.load(version / "checkpoint.pt", weights_only=True)
    module, _, name = saved["module"].rpartition(".")
    network = getattr(import_module(module), name)(**saved["parameters"]).eval()
    network.load_state_dict(saved["state_dict"])
    prepared = joblib.load(version / "model.joblib")[:-1].transform(rows)
    with torch.no_grad():
        found = network(torch.tensor(prepared, dtype=torch.float32))
    values: list[list[float]] = (torch.softmax(found, dim=-1) if saved["softmax"] else found).tolist()
    return values


if __name__ == "__main__":
    sys.path.insert(0, sys.argv[2])
    table = pd.DataFrame(json.load(sys.stdin)).replace({None: np.nan})
    json.dump(answers(Path(sys.argv[1]), table), sys.stdout)
