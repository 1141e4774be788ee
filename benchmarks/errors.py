"""What makes a measurement void."""


class Void(Exception):
    """A server did not start, answered wrongly, or refused a request while it was loaded: its figures mean nothing."""
