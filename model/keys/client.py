"""Who asks, as far as the server knows, and what they may do."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Client:
    """
    A client, by the key it brought.

    Parameters
    ----------
    id : str
        Of the key, which may be logged; empty where there is none.
    models : frozenset of str or None
        The models it may use, and know of; None means all.
    admin : bool
        Whether it may load and unload those models.
    """

    id: str
    models: frozenset[str] | None
    admin: bool = False

    def may_use(self, model: str) -> bool:
        """Whether it may use a model, which need not exist."""
        return self.models is None or model in self.models


NOBODY: Final = Client("", frozenset())
"""Who has not been asked for a key yet: may do nothing."""
ANYONE: Final = Client("", None)
"""Every client of a server without keys."""
