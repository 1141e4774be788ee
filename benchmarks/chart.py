"""The chart of a run: a bar for each server in each workload, on a logarithmic scale of ratios."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from itertools import groupby
from math import ceil, floor, log10
from typing import Final

from benchmarks.comparison import lines
from benchmarks.results import Run
from benchmarks.workloads import CEILING, OURS, PLAIN

TITLE: Final = "Requests per second, as a multiple of the better of KServe's and MLServer's (logarithmic)"

_WIDTH: Final = 900
_LEFT: Final = 190
_RIGHT: Final = 130
_BAR: Final = 16
_GROUP: Final = 30
_TOP: Final = 44
_COLORS: Final = {OURS: "#1f6feb", PLAIN: "#79b0ff", CEILING: "#c9d1d9"}
_OTHER: Final = "#9a7b4f"
# An SVG has no background of its own, and a page's may be as dark as the text.
_STYLE: Final = "text{font:12px sans-serif;fill:#24292f}.head{font-weight:bold}.value{fill:#57606a}"


@dataclass(frozen=True, slots=True)
class Bar:
    """One server in one workload."""

    title: str
    server: str
    ratio: float
    rate: float


def svg(run: Run) -> str:
    """
    Return a run as SVG; workloads without a stock server are left out.

    Parameters
    ----------
    run : Run
    """
    found = bars(run)
    scale = _Scale([bar.ratio for bar in found])
    drawn = [part for title, group in groupby(found, lambda bar: bar.title) for part in _group(title, group, scale)]
    rows = _placed(drawn)
    height = _TOP + sum(part.height for part in drawn) + 10
    frame = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" role="img">',
        f"<title>{escape(TITLE)}</title>",
        f"<style>{_STYLE}</style>",
        f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
        _text(8, 18, TITLE, "head"),
    ]
    return "\n".join([*frame, *scale.grid(height), *rows, "</svg>"]) + "\n"


def bars(run: Run) -> list[Bar]:
    """Return what the chart shows, in its order."""
    return [
        Bar(line.workload.title, line.server, line.against_stock.median, line.rate.median)
        for line in lines(run)
        if line.against_stock is not None
    ]


@dataclass(frozen=True, slots=True)
class _Part:
    """A strip of the chart, drawn with its top at 0."""

    height: int
    content: str


class _Scale:
    """From a ratio to a place between the margins."""

    def __init__(self, ratios: Sequence[float]) -> None:
        self._low = min(0, floor(log10(min(ratios, default=1.0))))
        self._high = max(1, ceil(log10(max(ratios, default=1.0))))

    def __call__(self, ratio: float) -> float:
        share = (log10(ratio) - self._low) / (self._high - self._low)
        return round(_LEFT + share * (_WIDTH - _LEFT - _RIGHT), 1)

    def grid(self, height: int) -> Iterator[str]:
        """Draw a line for each power of ten, that of 1 in dark: there the better stock server ends."""
        for power in range(self._low, self._high + 1):
            x, color = self(10.0**power), "#d8dee4" if power else "#57606a"
            yield f'<path d="M{x} {_TOP - 2}V{height - 6}" stroke="{color}"/>'
            yield _text(x - 6, _TOP - 6, f"{10.0**power:g} ×", "value")


def _group(title: str, group: Iterator[Bar], scale: _Scale) -> Iterator[_Part]:
    yield _Part(_GROUP, _text(8, _GROUP - 8, title, "head"))
    for bar in group:
        yield _Part(_BAR, _drawn(bar, scale))


def _drawn(bar: Bar, scale: _Scale) -> str:
    end = scale(bar.ratio)
    width = max(1.0, round(end - _LEFT, 1))
    color = _COLORS.get(bar.server, _OTHER)
    name = _text(20, _BAR - 4, bar.server, "name")
    box = f'<rect x="{_LEFT}" y="2" width="{width}" height="{_BAR - 4}" fill="{color}"/>'
    return name + box + _text(end + 6, _BAR - 4, f"{bar.ratio:.3g} × ({bar.rate:,.0f}/s)", "value")


def _placed(parts: Sequence[_Part]) -> Iterator[str]:
    y = _TOP
    for part in parts:
        yield f'<g transform="translate(0 {y})">{part.content}</g>'
        y += part.height


def _text(x: float, y: float, words: str, style: str) -> str:
    return f'<text x="{x:g}" y="{y:g}" class="{style}">{escape(words)}</text>'
