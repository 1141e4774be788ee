"""What the columns of a table have to be called."""

from collections import Counter
from collections.abc import Sequence

from training.errors import DataError


def check_names(file: object, names: Sequence[str]) -> None:
    """
    Refuse columns without a name of their own.

    Raises
    ------
    DataError
    """
    nameless = [i for i, name in enumerate(names, start=1) if not name.strip()]
    if nameless:
        raise DataError(f"{file} has no name for column {nameless[0]}; expected one for each")
    name, times = Counter(names).most_common(1)[0]
    if times > 1:
        raise DataError(f"{file} has {times} columns named {name!r}; expected a name of its own for each")
