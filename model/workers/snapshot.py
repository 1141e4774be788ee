"""
What a process has counted, as plain numbers: taken apart from the processes, and added up over them.

A snapshot is JSON: ``families`` by their names, each with ``type``, ``help`` and ``samples`` (values by the JSON of name
and labels), ``statistics`` (of the statistics extension) by the JSON of model and version, and ``drift`` (counts of the
bins of a profile) by the JSON of those and of the profile's digest.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import orjson

Snapshot = dict[str, Any]

EMPTY: Final[Mapping[str, Any]] = {"number": 0, "families": {}, "statistics": {}, "drift": {}}
_COUNTED: Final = frozenset({"counter", "histogram"})


def label_key(*parts: Any) -> str:
    """Return what samples and statistics go by: the JSON of a name and labels, or of a model and a version."""
    return orjson.dumps(parts).decode()


def merge(snapshots: Iterable[Mapping[str, Any]]) -> Snapshot:
    """
    Return what several processes have counted together.

    Counts and sizes are added up; of times the latest is taken, of starts the first; what is the same everywhere is
    told once.
    """
    families: dict[str, Any] = {}
    statistics: dict[str, Any] = {}
    drift: dict[str, list[float]] = {}
    for snapshot in snapshots:
        for name, family in snapshot["families"].items():
            known = families.setdefault(name, family | {"samples": {}})
            _merge_into(known["samples"], family["samples"], _rule(name, family["type"]))
        for key, counted in snapshot["statistics"].items():
            statistics[key] = _merged_statistics(statistics[key], counted) if key in statistics else counted
        for key, counts in snapshot.get("drift", {}).items():
            drift[key] = list(map(_add, drift[key], counts)) if key in drift else counts
    return {"families": families, "statistics": statistics, "drift": drift}


def retained(snapshot: Mapping[str, Any]) -> Snapshot:
    """Return what is left of a process when it has ended: counts, which never decrease; no gauges, and no drift."""
    families = {name: family for name, family in snapshot["families"].items() if family["type"] in _COUNTED}
    return {"families": families, "statistics": snapshot["statistics"]}


def pruned(snapshot: Mapping[str, Any], models: Iterable[str]) -> Snapshot:
    """
    Return a snapshot without the series of versions that are served no longer.

    Parameters
    ----------
    snapshot : mapping
    models : iterable of str
        Keys of the versions that are still served, as in a snapshot's ``statistics``.
    """
    kept = {*models, label_key("", "")}
    names = {orjson.loads(key)[0] for key in kept}

    def stays(key: str) -> bool:
        labels = orjson.loads(key)[1]
        if "version" in labels:
            return label_key(labels.get("model", ""), labels["version"]) in kept
        return labels.get("model_name", "") in names

    families = {
        name: family | {"samples": {key: value for key, value in family["samples"].items() if stays(key)}}
        for name, family in snapshot["families"].items()
    }
    return {
        "families": families,
        "statistics": {key: counted for key, counted in snapshot["statistics"].items() if key in kept},
    }


def _rule(name: str, kind: str) -> Callable[[float, float], float]:
    if kind == "info" or name.endswith(("_info", "_timestamp_seconds")):
        return max
    return min if name == "process_start_time_seconds" else _add


def _add(one: float, other: float) -> float:
    return one + other


def _merge_into(samples: dict[str, float], others: Mapping[str, float], rule: Callable[[float, float], float]) -> None:
    for key, value in others.items():
        samples[key] = rule(samples[key], value) if key in samples else value


def _merged_statistics(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Add up field by field; ``last_inference_ms`` is a time, and names are the same."""
    merged: dict[str, Any] = {}
    for field, value in one.items():
        if isinstance(value, dict):
            merged[field] = _merged_statistics(value, other[field])
        elif isinstance(value, str):
            merged[field] = value
        else:
            merged[field] = max(value, other[field]) if field.startswith("last_") else value + other[field]
    return merged
