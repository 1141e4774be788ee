"""Whether to train anew: the signals, weighed as the configuration says."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from training.config.retrain import Retrain
from training.retrain.signal import Signal


@dataclass(frozen=True, slots=True)
class Decision:
    """
    What was decided, and why.

    Parameters
    ----------
    retrain : bool
    because : str
    signals : sequence of Signal
        All that was looked at.
    """

    retrain: bool
    because: str
    signals: Sequence[Signal] = ()

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "retrain": self.retrain,
            "because": self.because,
            "signals": [signal.as_json() for signal in self.signals],
        }


def weigh(signals: Sequence[Signal], settings: Retrain) -> Decision:
    """
    Decide by the signals: one of ``any`` is enough, and each of ``require`` has to hold.

    Parameters
    ----------
    signals : sequence of Signal
        One for each reason.
    settings : Retrain
    """
    speaking = [signal for signal in signals if signal.reason in settings.any and signal.holds]
    lacking = [signal for signal in signals if signal.reason in settings.require and not signal.holds]
    if not speaking:
        return Decision(retrain=False, because=_sentence(signals, "nothing speaks for it"), signals=signals)
    if lacking:
        wanted = "; ".join(f"{signal.reason.value} is required, and {signal.says}" for signal in lacking)
        return Decision(retrain=False, because=wanted, signals=signals)
    return Decision(retrain=True, because=_sentence(speaking, ""), signals=signals)


def too_soon(last: datetime | None, now: datetime, settings: Retrain) -> str | None:
    """Say that the last training was only just, if it was."""
    if last is None or now - last >= timedelta(hours=settings.min_interval_hours):
        return None
    hours = (now - last) / timedelta(hours=1)
    return f"the last training was {hours:.1f} hours ago, of the {settings.min_interval_hours:g} that are to pass"


def _sentence(signals: Sequence[Signal], otherwise: str) -> str:
    return "; ".join(f"{signal.reason.value}: {signal.says}" for signal in signals) or otherwise
