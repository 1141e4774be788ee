"""What speaks for training anew, or against it: one signal a reason."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from training.config import Config
from training.config.retrain import Reason, Retrain
from training.retrain.champion import Champion

_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Signal:
    """
    One reason, and what was found of it.

    Parameters
    ----------
    reason : Reason
    holds : bool or None
        None where it cannot be told.
    says : str
        Why.
    """

    reason: Reason
    holds: bool | None
    says: str

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {"reason": self.reason.value, "holds": self.holds, "says": self.says}


def data(champion: Champion, snapshot: Mapping[str, Any], rows: int | None, settings: Retrain) -> Signal:
    """
    Tell whether the snapshot is another than the champion's, by enough rows.

    Parameters
    ----------
    champion : Champion
    snapshot : mapping
        With ``sha256``.
    rows : int or None
        That can be learned from; None where nobody has counted them.
    settings : Retrain
    """
    before = champion.made_of.get("snapshot", {}).get("sha256")
    if before == snapshot["sha256"]:
        return Signal(Reason.DATA, holds=False, says=f"they are those that {champion} was trained on")
    if before is None:
        return Signal(Reason.DATA, holds=True, says=f"{champion} does not tell what it was trained on")
    rows_before = champion.made_of.get("rows")
    if rows is None or rows_before is None:
        return Signal(Reason.DATA, holds=True, says=f"they are not those that {champion} was trained on")
    more = rows - rows_before
    than = f"{abs(more)} {'fewer' if more < 0 else 'more'} than" if more else "as many, but not the same, as"
    says = f"{rows} rows, {than} {champion} was trained on"
    return Signal(Reason.DATA, holds=abs(more) >= settings.min_new_rows, says=says)


def configuration(champion: Champion, made_of: Mapping[str, Any]) -> Signal:
    """Tell whether a key that decides a result has another value."""
    return _compared(Reason.CONFIGURATION, "configuration", champion, made_of)


def code(champion: Champion, made_of: Mapping[str, Any]) -> Signal:
    """Tell whether a version of what decides a result is another."""
    return _compared(Reason.CODE, "code", champion, made_of)


def _compared(reason: Reason, part: str, champion: Champion, made_of: Mapping[str, Any]) -> Signal:
    before, now = champion.made_of.get(part), made_of[part]
    if before is None:
        return Signal(reason, holds=None, says=f"{champion} does not tell its {part}")
    changed = sorted(key for key in {*before, *now} - Config.AFTERWARDS if before.get(key) != now.get(key))
    if not changed:
        return Signal(reason, holds=False, says=f"the {part} is that of {champion}")
    return Signal(reason, holds=True, says=f"{', '.join(changed)} changed since {champion}")


def age(champion: Champion, now: datetime, settings: Retrain) -> Signal:
    """Tell whether the champion is old."""
    days = (now - champion.created) / _DAY
    says = f"{champion} is {days:.1f} days old, of {settings.max_age_days:g} that it may be"
    return Signal(Reason.AGE, holds=days > settings.max_age_days, says=says)
