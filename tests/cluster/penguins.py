"""The model that the image carries, asked by Triton's clients."""

import importlib
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import palmerpenguins
import pandas as pd

from tests.cluster.harness.cluster import Cluster

MODEL: Final = "penguins"
CLIENTS: Final = ("http", "grpc")


def birds() -> pd.DataFrame:
    """Return some rows, with missing values among them."""
    return palmerpenguins.load_penguins().drop(columns=["species", "year"])[::10]


def species(
    protocol: str, cluster: Cluster, host: str, rows: pd.DataFrame, headers: Mapping[str, str] | None = None
) -> list[str]:
    """Ask for the species of birds of which everything is known."""
    # Here, for KServe's client describes the same messages: one process can't have both.
    triton: Any = importlib.import_module(f"tritonclient.{protocol}")
    inputs = []
    for name in rows.columns:
        inputs.append(triton.InferInput(name, [len(rows)], datatype(rows[name])))
        inputs[-1].set_data_from_numpy(rows[name].to_numpy(object if datatype(rows[name]) == "BYTES" else np.float64))
    if protocol == "http":
        with triton.InferenceServerClient(cluster.gateway) as client:
            said = client.infer(MODEL, inputs, headers={"Host": host, **(headers or {})})
        [output] = (found["name"] for found in said.get_response()["outputs"])
    else:
        with triton.InferenceServerClient(cluster.gateway, channel_args=[("grpc.default_authority", host)]) as client:
            said = client.infer(MODEL, inputs, headers=headers)
        [output] = (found.name for found in said.get_response().outputs)
    return [value.decode() for value in said.as_numpy(output)]


def datatype(values: "pd.Series[Any]") -> str:
    """Return the protocol's type of a column."""
    return "FP64" if pd.api.types.is_numeric_dtype(values) else "BYTES"


__all__ = ["CLIENTS", "MODEL", "birds", "datatype", "species"]
