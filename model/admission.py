"""How many requests may be in flight: each is counted in at once or refused at once."""

from model.errors import Overloaded


class Admission:
    """
    The limit on requests in flight.

    Parameters
    ----------
    limit : int
        Requests admitted at once, over all models.
    """

    __slots__ = ("in_flight", "limit")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.in_flight = 0

    @property
    def full(self) -> bool:
        """Whether the next request would be refused."""
        return self.in_flight >= self.limit

    def check(self) -> None:
        """
        Refuse a request before anything is done for it.

        Raises
        ------
        Overloaded
            As many as the limit are in flight already.
        """
        if self.full:
            raise Overloaded(f"The requests in flight have reached the limit of {self.limit}; try again later.")

    def enter(self) -> None:
        """
        Count a request in; whoever is counted in has to leave.

        Raises
        ------
        Overloaded
        """
        self.check()
        self.in_flight += 1

    def leave(self) -> None:
        """Count a request out, whatever became of it."""
        self.in_flight -= 1
