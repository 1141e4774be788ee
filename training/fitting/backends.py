"""Where the work of fitting is done: on the CPUs of this process, or on a dask cluster."""

import platform
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import joblib
import sklearn
from threadpoolctl import threadpool_limits

from training.config.backend import Backend
from training.errors import BackendError, ConfigurationError

_TIMEOUT_SECONDS: Final = 10


@contextmanager
def running(backend: Backend) -> Iterator[None]:
    """
    Spread many fits as a configuration says: over processes of this machine, or over a cluster.

    Parameters
    ----------
    backend : Backend

    Raises
    ------
    ConfigurationError
        dask is not installed.
    BackendError
        The cluster can't be reached, has no workers, or other software than this process.
    """
    # joblib's count honours affinity and the limit of the cgroup.
    cpus = joblib.cpu_count()
    with threadpool_limits(cpus):
        if backend.address is None:
            with joblib.parallel_config(n_jobs=backend.jobs or cpus):
                yield
            return
        with _client(backend.address) as client:
            jobs = backend.jobs or sum(client.nthreads().values())
            with joblib.parallel_config("dask", n_jobs=jobs, client=client):
                yield


@contextmanager
def here(backend: Backend) -> Iterator[None]:
    """Spread one fit over threads of this process, for its parts are too small to be sent elsewhere."""
    jobs = None if backend.address else backend.jobs
    with joblib.parallel_config("threading", n_jobs=jobs or joblib.cpu_count()):
        yield


@contextmanager
def _client(address: str) -> Iterator[Any]:
    try:
        from distributed import Client  # noqa: PLC0415 -- an extra
    except ImportError as error:
        raise ConfigurationError(
            f"backend.address is {address}, and dask is not installed; install it by pip install 'sklearn-kserve[dask]'"
        ) from error
    try:
        client: Any = Client(address.replace("dask://", "tcp://"), timeout=_TIMEOUT_SECONDS, set_as_default=False)  # type: ignore[no-untyped-call]  # it has no types
    except OSError as error:
        raise BackendError(
            f"{address} cannot be reached within {_TIMEOUT_SECONDS} s; expected a scheduler of dask there"
        ) from error
    with client:
        _check_workers(address, client)
        yield client


def _check_workers(address: str, client: Any) -> None:
    """Refuse workers that would fail in the middle of the work, or fit something else."""
    try:
        client.wait_for_workers(1, timeout=_TIMEOUT_SECONDS)
    except TimeoutError as error:
        raise BackendError(f"{address} has no workers after {_TIMEOUT_SECONDS} s; start some by dask worker") from error
    own = software()
    try:
        found: dict[str, dict[str, str]] = client.run(software)
    except Exception as error:
        raise BackendError(
            f"{address} has workers that lack this package; install sklearn-kserve[train] {own['sklearn-kserve']} there"
        ) from error
    for worker, its in found.items():
        for name, version in own.items():
            if its.get(name) != version:
                raise BackendError(f"worker {worker} of {address} has {name} {its.get(name)}; expected {version}")


def software() -> dict[str, str]:
    """Return the versions on which it depends what is fitted, and whether it can be sent from process to process."""
    from model import __version__  # noqa: PLC0415 -- asked of the workers, too

    return {
        "sklearn-kserve": __version__,
        "scikit-learn": sklearn.__version__,
        "python": ".".join(platform.python_version_tuple()[:2]),
    }
