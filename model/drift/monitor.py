"""
What served versions have been asked lately.

A request costs an append. Every few seconds what was kept of it is counted in a thread; of more requests than can be
kept, each has had the same chance (reservoir sampling), so that drift costs the same at any load. Counts fade with a
half-life: they are the same sum whichever process has counted what, and a version nobody asks is soon not talked about.
"""

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import random
from typing import Final

import numpy as np
import numpy.typing as npt
import structlog

from model.drift.counting import Named, Values, columns, count
from model.drift.profile import Bins, Profile

FOLD_SECONDS: Final = 5.0
"""Between two counts of what was kept."""
MOST_REQUESTS: Final = 32
"""Kept from one count to the next, per version."""
MOST_ROWS: Final = 256
"""Of one request."""
MOST_BYTES: Final = 1 << 20
"""Of one request's body: of a larger one fewer rows are kept."""
_PREDICT: Final = "predict"

Counts = npt.NDArray[np.float64]
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Kept:
    name: str
    data: Values


_Taken = list[tuple[Sequence[Named], Sequence[Named]]]


class Monitor:
    """
    Counts what one version is asked and answers.

    Parameters
    ----------
    profile : Profile
    half_life_seconds : float

    Attributes
    ----------
    digest : str
        Of the profile.
    """

    def __init__(self, profile: Profile, half_life_seconds: float) -> None:
        self.profile = profile
        self.digest = profile.digest
        self._half_life = half_life_seconds
        self._kept: _Taken = []
        self._offered = 0
        predictions = () if profile.predictions is None else (profile.predictions,)
        sizes = [len(bins.counts) for bins in (*(feature.bins for feature in profile.features), *predictions)]
        self._stops = np.cumsum([1, *sizes])
        # The time and the counts of that time, in one assignment: read by any thread, written by one.
        self._state = (time.monotonic(), np.zeros(int(self._stops[-1])))

    def offer(self, inputs: Sequence[Named], outputs: Sequence[Named], size_bytes: int) -> None:
        """
        Take note of a request that has been answered; for one thread.

        Parameters
        ----------
        inputs, outputs : sequence of tensors
            As they were sent.
        size_bytes : int
            Of its body.
        """
        self._offered += 1
        place = len(self._kept)
        if place >= MOST_REQUESTS:
            place = int(random() * self._offered)  # noqa: S311 -- a sample, no secret
            if place >= MOST_REQUESTS:
                return
        rows = len(inputs[0].data)
        if rows > MOST_ROWS or size_bytes > MOST_BYTES:
            most = min(MOST_ROWS, MOST_BYTES * rows // max(size_bytes, 1))
            if most < 1:
                return
            inputs, outputs = _part(inputs, rows, most), _part(outputs, rows, most)
        self._kept[place : place + 1] = [(inputs, outputs)]

    def take(self) -> _Taken:
        """Return what was kept, and begin anew; for the thread that offers."""
        taken, self._kept, self._offered = self._kept, [], 0
        return taken

    def fold(self, taken: _Taken) -> None:
        """Count what was kept; for one thread at a time."""
        vector = np.zeros_like(self._state[1])
        for inputs, outputs in taken:
            vector += self._counted(inputs, outputs)
        now = time.monotonic()
        self._state = (now, self.counts(now) + vector)

    def counts(self, now: float | None = None) -> Counts:
        """Return the counts as they have faded by now: of rows, of each feature's bins, of the predictions'."""
        then, vector = self._state
        now = time.monotonic() if now is None else now
        faded: Counts = vector * 0.5 ** ((now - then) / self._half_life)
        return faded

    def split(self, vector: Counts) -> tuple[float, list[Counts], Counts | None]:
        """Return counts apart: of rows, of each feature, of the predictions if they are watched."""
        parts = [vector[start:stop] for start, stop in zip(self._stops, self._stops[1:], strict=False)]
        predictions = parts.pop() if self.profile.predictions is not None else None
        return float(vector[0]), parts, predictions

    def _counted(self, inputs: Sequence[Named], outputs: Sequence[Named]) -> Counts:
        sent = columns(inputs, self.profile.width)
        rows = len(inputs[0].data)
        parts: list[Counts] = [np.array([float(rows)])]
        for feature in self.profile.features:
            values = sent[feature.position] if isinstance(sent, list) else sent[feature.name]
            parts.append(count(feature.bins, values))
        if self.profile.predictions is not None:
            parts.append(_predicted(self.profile.predictions, outputs))
        return np.concatenate(parts)


class Drift:
    """
    The monitors of all versions that are served and have a profile.

    Parameters
    ----------
    half_life_seconds : float
        After which what was counted weighs half; 0 counts nothing.
    """

    def __init__(self, half_life_seconds: float) -> None:
        self._half_life = half_life_seconds
        self._monitors: Mapping[tuple[str, str], Monitor] = {}

    def __iter__(self) -> Iterator[tuple[tuple[str, str], Monitor]]:
        """Iterate over models and versions, with their monitors."""
        return iter(self._monitors.items())

    def watch(self, model: str, version: str, profile: Profile | None) -> None:
        """Watch a version that was loaded, from nothing; without a profile there is nothing to watch it by."""
        self.forget(model, version)
        if profile is not None and self._half_life:
            self._monitors = {**self._monitors, (model, version): Monitor(profile, self._half_life)}

    def forget(self, model: str, version: str) -> None:
        """Watch a version no longer."""
        self._monitors = {key: monitor for key, monitor in self._monitors.items() if key != (model, version)}

    def of(self, model: str, version: str, profile: Profile | None) -> Monitor | None:
        """Return the monitor of a version, if it is watched by this profile, and not by that of its successor."""
        if profile is None:
            return None
        monitor = self._monitors.get((model, version))
        return monitor if monitor is not None and monitor.profile is profile else None

    async def run(self) -> None:
        """Count what is kept, again and again."""
        while self._half_life:
            await asyncio.sleep(FOLD_SECONDS)
            await self.fold()

    async def fold(self) -> None:
        """Count what is kept, in a thread."""
        for (model, version), monitor in self:
            taken = monitor.take()
            if taken:
                try:
                    await asyncio.to_thread(monitor.fold, taken)
                except Exception as error:  # noqa: BLE001 -- nobody may be without answers for want of a statistic
                    # Not its message, in which there may be a value.
                    _log.error("drift not counted", model=model, version=version, error=type(error).__name__)


def _part(tensors: Sequence[Named], rows: int, most: int) -> list[Named]:
    """Return some rows, evenly spread, as copies: what they were part of may be large."""
    chosen = np.linspace(0, rows - 1, num=min(most, rows)).astype(np.intp)
    return [_Kept(tensor.name, tensor.data[chosen]) for tensor in tensors if len(tensor.data) == rows]


def _predicted(bins: Bins, outputs: Sequence[Named]) -> Counts:
    answers = next((tensor.data for tensor in outputs if tensor.name == _PREDICT), None)
    return np.zeros(len(bins.counts)) if answers is None else count(bins, answers.ravel())
