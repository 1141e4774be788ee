"""Label selectors, as the API server's components apply them."""

from collections.abc import Mapping
from typing import Any


def selects(selector: Mapping[str, Any] | None, labels: Mapping[str, str]) -> bool:
    """
    Tell whether a label selector takes something with these labels.

    Parameters
    ----------
    selector : mapping or None
        ``matchLabels`` and ``matchExpressions``; empty takes all, None nothing.
    labels : mapping of str to str
        Labels of the object.

    Returns
    -------
    bool
        Whether all that it says is met.
    """
    if selector is None:
        return False
    wanted = selector.get("matchLabels") or {}
    return wanted.items() <= labels.items() and all(
        _meets(each, labels) for each in selector.get("matchExpressions") or []
    )


def _meets(expression: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    key, values = expression["key"], expression.get("values") or []
    match expression["operator"]:
        case "In":
            return labels.get(key) in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case _:
            return key not in labels
