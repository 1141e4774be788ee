"""MLServer with its scikit-learn runtime, without a pool of workers: on one core the hop to another process only costs."""

import argparse
import json
import os
import shutil
import sys
from pathlib import Path


def main() -> None:
    """Write the settings that MLServer wants beside each model, and become MLServer."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--models", type=Path, required=True)
    parser.add_argument("--http_port", required=True)
    parser.add_argument("--grpc_port", required=True)
    parser.add_argument("--metrics_port", required=True)
    args = parser.parse_args()
    shutil.copy(Path(__file__).with_name("settings.json"), args.models)
    for file in args.models.glob("*/model.joblib"):
        settings = {
            "name": file.parent.name,
            "implementation": "mlserver_sklearn.SKLearnModel",
            "parameters": {"uri": "./model.joblib"},
        }
        file.with_name("model-settings.json").write_text(json.dumps(settings))
    ports = {f"MLSERVER_{name.upper()}": getattr(args, name) for name in ("http_port", "grpc_port", "metrics_port")}
    program = shutil.which("mlserver", path=Path(sys.executable).parent)
    os.execve(program, [program, "start", str(args.models)], {**os.environ, **ports})


if __name__ == "__main__":
    main()
