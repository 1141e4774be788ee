"""The service that tutorials write: a pydantic model for the body, predict on the list, uvicorn."""

import argparse
from pathlib import Path

import joblib
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel


class Rows(BaseModel):
    """The body."""

    instances: list[list[float]]


def application(models: Path) -> FastAPI:
    """Return an application with ``POST /predict/<name>`` for every model in a directory."""
    app = FastAPI()
    loaded = {file.parent.name: joblib.load(file) for file in models.glob("*/model.joblib")}

    @app.get("/health")
    def health() -> dict:
        return {"status": "ok"}

    @app.post("/predict/{name}")
    def predict(name: str, rows: Rows) -> dict:
        return {"predictions": loaded[name].predict(rows.instances).tolist()}

    return app


def main() -> None:
    """Serve."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--models", type=Path, required=True)
    parser.add_argument("--http_port", type=int, required=True)
    args = parser.parse_args()
    uvicorn.run(application(args.models), host="127.0.0.1", port=args.http_port)


if __name__ == "__main__":
    main()
