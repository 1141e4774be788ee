"""
What keeps a command from its end, one tree.

::

    RolloutError            the command ends with exit code 2
    ├── UsageError          values, manifests, Helm or a kubeconfig that can't be used as they are
    └── ClusterError        the API server did not answer as asked
        ├── Unreachable     no answer at all, or no TLS that is trusted
        └── Denied          it does not know the caller (401), or does not let them (403)

The message of each is one sentence: what was got, what was expected, and where it helps what to do.
"""


class RolloutError(Exception):
    """A command that can't do what it was asked for."""


class UsageError(RolloutError):
    """Values, manifests, Helm or a kubeconfig that can't be used as they are."""


class ClusterError(RolloutError):
    """
    The API server did not answer as asked.

    Attributes
    ----------
    status : int
        HTTP status of the answer; 0 where there was none.
    """

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class Unreachable(ClusterError):
    """There was no answer at all, or no TLS that is trusted."""


class Denied(ClusterError):
    """The API server does not know the caller, or does not let them."""
