"""Where the work of fitting is done."""

import re
from typing import Annotated, Final

from pydantic import Field, field_validator

from training.config.section import Section

_ADDRESS: Final = re.compile(r"dask://(\[[0-9a-fA-F:.]+\]|[^\s:/\[\]]+):\d{1,5}")


class Backend(Section):
    """
    Where the work of fitting is done; it decides no result.

    Parameters
    ----------
    address : str or None
        Scheduler of a dask cluster, as ``dask://host:port``. None: this machine.
    jobs : int or None
        Fits at a time. None: the CPUs that this process may use, or all that the cluster has.
    """

    address: str | None = None
    jobs: Annotated[int | None, Field(strict=True, ge=1)] = None

    @field_validator("address")
    @classmethod
    def _is_dask(cls, address: str | None) -> str | None:
        if address is not None and not _ADDRESS.fullmatch(address):
            msg = "expected dask://HOST:PORT"
            raise ValueError(msg)
        return address
