"""A manifest in words, for people at a terminal."""

from collections.abc import Iterator, Sequence

from model.artifact.manifest import Manifest, Requirement
from model.artifact.seal import SIGNATURE_FILE
from model.engine import Parity
from model.signature.schema import Column, Output, Scalar

_MOST_LISTED = 5


def describe_manifest(manifest: Manifest, *, signed: bool) -> str:
    """
    Return all of a manifest that a person reads it for, as text of several lines.

    Parameters
    ----------
    manifest : Manifest
    signed : bool
        Whether there is a signature beside it.
    """
    return (
        "\n".join(
            [*_head(manifest, signed=signed), "", *_inputs(manifest), "", *_outputs(manifest), "", *_tail(manifest)]
        )
        + "\n"
    )


def summarize(manifest: Manifest) -> str:
    """Return what was published, as text of a few lines."""
    outputs = ", ".join(output.name for output in manifest.signature.outputs)
    lines = [
        f"published {manifest.name} version {manifest.version}",
        f"  estimator  {manifest.estimator.class_} ({manifest.estimator.file})",
        f"  inputs     {_listed(manifest.signature.names)}",
        f"  outputs    {outputs}",
        *_engine(manifest),
    ]
    return "\n".join(lines) + "\n"


def describe_engine(manifest: Manifest) -> str:
    """Return which engine a version has, and why no other, as text of a few lines."""
    return "\n".join([f"{manifest.name} version {manifest.version}", *_engine(manifest)]) + "\n"


def _head(manifest: Manifest, *, signed: bool) -> Iterator[str]:
    yield f"{manifest.name} version {manifest.version}"
    yield f"  created    {manifest.created.isoformat(timespec='seconds')}"
    yield f"  git commit {manifest.git_commit or 'unknown'}"
    yield f"  signed     {f'{SIGNATURE_FILE}, not verified' if signed else 'no'}"
    yield f"  estimator  {manifest.estimator.class_} ({manifest.estimator.file})"
    yield from _engine(manifest)


def _engine(manifest: Manifest) -> Iterator[str]:
    record = manifest.engine
    if record is None:
        return
    if record.file is None or record.parity is None:
        yield "  engine     sklearn"
    else:
        part = f", from step {record.from_step} on" if record.from_step else ""
        yield f"  engine     {record.name} ({record.file}{part}) answers {', '.join(record.methods)}"
        yield f"  parity     {_parity(record.parity)}"
    for name, reason in record.refused.items():
        yield f"  no {name}: {reason}"


def _parity(parity: Parity) -> str:
    widest = max(parity.differences.values(), default=0.0)
    speed = f"{parity.engine_microseconds:g} µs a row, scikit-learn {parity.sklearn_microseconds:g}"
    return f"{sum(parity.rows.values()):,} rows answered alike, the largest difference {widest:.2g}; {speed}"


def _inputs(manifest: Manifest) -> Iterator[str]:
    header = ("input", "datatype", "missing", "seen")
    rows = [
        (c.name, str(c.datatype), "allowed" if c.missing else "refused", _seen(c)) for c in manifest.signature.inputs
    ]
    yield from _table(header, rows)


def _outputs(manifest: Manifest) -> Iterator[str]:
    header = ("output", "datatype", "shape", "labels")
    rows = [(o.name, str(o.datatype), str(list(o.shape)), _labels(o)) for o in manifest.signature.outputs]
    yield from _table(header, rows)


def _tail(manifest: Manifest) -> Iterator[str]:
    yield from _table(("metric", "value"), [(name, f"{value:g}") for name, value in manifest.metrics.items()])
    if manifest.metrics:
        yield ""
    packages = manifest.environment.packages.items()
    modules = [
        (name, _source(requirement)) for name, requirement in manifest.modules.items() if name not in dict(packages)
    ]
    yield from _table(("environment", "version"), [("python", manifest.environment.python), *packages, *modules])
    yield ""
    yield from _table(("file", "sha256"), list(manifest.files.items()))


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield aligned lines; nothing at all where there are no rows."""
    if not rows:
        return
    widths = [max(len(row[i]) for row in (header, *rows)) for i in range(len(header))]
    for row in (header, *rows):
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _seen(column: Column) -> str:
    if column.categories is not None:
        return _listed(column.categories)
    if column.minimum is None or column.maximum is None:
        return ""
    return f"{column.minimum:g} to {column.maximum:g}"


def _labels(output: Output) -> str:
    return "" if output.labels is None else _listed(output.labels)


def _source(requirement: Requirement | None) -> str:
    return "the model's own code" if requirement is None else f"{requirement.distribution} {requirement.version}"


def _listed(values: Sequence[Scalar]) -> str:
    listed = ", ".join(map(str, values[:_MOST_LISTED]))
    return listed if len(values) <= _MOST_LISTED else f"{listed} and {len(values) - _MOST_LISTED} more"
