"""
What was measured, as pictures.

They are SVG, whose bytes are the same each time: text is drawn as paths, so that no font is needed to look at them. Colours
are those of Okabe and Ito, which colour-blind people tell apart, and lines differ by their dashes as well.
"""

import io
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import cycle
from typing import TYPE_CHECKING, Any, Final

from training.evaluation.record import Calibration, Confusion, Curve, Evaluation, Grid, Histogram

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Draw = Callable[["Axes"], None]

_COLOURS: Final = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
_DASHES: Final = ("-", "--", "-.", ":")
_GREY: Final = "#767676"
_INCHES: Final = (4.6, 3.9)
_MOST_NUMBERS: Final = 12
"""Labels beyond which the cells of a confusion matrix are too small for numbers."""
_LONGEST: Final = 24
_STYLE: Final[dict[Any, Any]] = {
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "svg.fonttype": "path",
    "svg.hashsalt": "sklearn-kserve",
    "text.parse_math": False,  # a label with dollars is no formula
}


@dataclass(frozen=True)
class Picture:
    """
    One picture.

    Parameters
    ----------
    name : str
        Of its file.
    title : str
    description : str
        What it shows, for whoever does not see it.
    draw : callable
        Draws on the axes that it is given.
    """

    name: str
    title: str
    description: str
    draw: Draw

    def svg(self) -> bytes:
        """Return the picture."""
        import matplotlib as mpl  # noqa: PLC0415 -- only what draws waits for it
        from matplotlib.backends.backend_svg import FigureCanvasSVG  # noqa: PLC0415
        from matplotlib.figure import Figure  # noqa: PLC0415

        content = io.BytesIO()
        with mpl.rc_context(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of letters that the font lacks: a box is drawn
            mpl.rcdefaults()  # whatever the user's own style is
            mpl.rcParams.update(_STYLE)
            figure = Figure(figsize=_INCHES, layout="constrained")
            self.draw(figure.add_subplot())
            FigureCanvasSVG(figure)
            figure.savefig(content, format="svg", metadata={"Date": None, "Creator": None})
        return content.getvalue()


def pictures_of(evaluation: Evaluation) -> Iterator[Picture]:
    """Yield the pictures of an evaluation, none of them drawn yet."""
    if evaluation.confusion is not None:
        yield _confusion(evaluation.confusion)
    if evaluation.roc:
        yield _roc(evaluation.roc)
    if evaluation.precision_recall:
        yield _precision_recall(evaluation.precision_recall)
    if evaluation.calibration is not None:
        yield _reliability(evaluation.calibration)
    if evaluation.predictions is not None:
        yield _predictions(evaluation.predictions, evaluation.target)
    if evaluation.residuals is not None:
        yield _residuals(evaluation.residuals, evaluation.target)


def _confusion(confusion: Confusion) -> Picture:
    right = sum(row[i] for i, row in enumerate(confusion.counts))
    rows = sum(map(sum, confusion.counts))
    mistakes = sorted(
        (
            (count, label, confusion.labels[j])
            for i, (label, row) in enumerate(zip(confusion.labels, confusion.counts, strict=True))
            for j, count in enumerate(row)
            if i != j and count
        ),
        key=lambda each: -each[0],
    )
    most = "".join(
        f" Most often {label} is taken for {other}: {count} {'row' if count == 1 else 'rows'}."
        for count, label, other in mistakes[:1]
    )
    says = f"{right} of {rows} rows are predicted as they are.{most}"
    return Picture("confusion.svg", "What is taken for what", says, partial(_draw_confusion, confusion))


def _draw_confusion(confusion: Confusion, axes: "Axes") -> None:
    shares = [[count / max(1, sum(row)) for count in row] for row in confusion.counts]
    size = len(confusion.labels)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    named = [_short(label) for label in confusion.labels]
    axes.set_xticks(range(size), named, rotation=0 if size <= 3 else 45, ha="center" if size <= 3 else "right")  # noqa: PLR2004
    axes.set_yticks(range(size), named)
    axes.set_xlabel("predicted")
    axes.set_ylabel("expected")
    axes.spines[:].set_visible(False)
    if size <= _MOST_NUMBERS:
        for i, row in enumerate(confusion.counts):
            for j, count in enumerate(row):
                ink = "white" if shares[i][j] > 0.5 else "black"  # noqa: PLR2004 -- half of the colour map
                axes.text(j, i, f"{count:,}", ha="center", va="center", color=ink)


def _roc(curves: tuple[Curve, ...]) -> Picture:
    says = f"True positives over false positives. The area is {_areas(curves)}; guessing has 0.5."
    return Picture("roc.svg", "Receiver operating characteristic", says, partial(_draw_roc, curves))


def _draw_roc(curves: tuple[Curve, ...], axes: "Axes") -> None:
    axes.plot([0, 1], [0, 1], color=_GREY, linewidth=1)
    _draw_curves(curves, axes)
    axes.set_xlabel("false positive rate")
    axes.set_ylabel("true positive rate")


def _precision_recall(curves: tuple[Curve, ...]) -> Picture:
    says = f"Precision over recall. The average precision is {_areas(curves)}."
    return Picture("precision-recall.svg", "Precision and recall", says, partial(_draw_precision_recall, curves))


def _draw_precision_recall(curves: tuple[Curve, ...], axes: "Axes") -> None:
    _draw_curves(curves, axes)
    axes.set_xlabel("recall")
    axes.set_ylabel("precision")


def _draw_curves(curves: tuple[Curve, ...], axes: "Axes") -> None:
    for curve, colour, dash in zip(curves, cycle(_COLOURS), cycle(_DASHES), strict=False):
        x, y = zip(*curve.points, strict=True)
        axes.plot(x, y, dash, color=colour, linewidth=1.8, label=f"{_short(curve.label)} ({curve.area:.3f})")
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.02, 1.02)
    axes.legend(frameon=False, fontsize="small", loc="lower left" if curves[0].points[0][1] else "lower right")


def _areas(curves: tuple[Curve, ...]) -> str:
    return ", ".join(f"{curve.area:.3f} for {curve.label}" for curve in curves)


def _reliability(calibration: Calibration) -> Picture:
    of = f"of {calibration.of}" if calibration.of else "of what was predicted"
    says = (
        f"How often what was given a probability came true. They differ by {calibration.expected_error:.3f} on average "
        f"(expected calibration error); the Brier score is {calibration.brier:.3f}."
    )
    return Picture("reliability.svg", "Calibration", says, partial(_draw_reliability, calibration, of))


def _draw_reliability(calibration: Calibration, of: str, axes: "Axes") -> None:
    most = max(each.rows for each in calibration.bins)
    axes.plot([0, 1], [0, 1], color=_GREY, linewidth=1, label="as it says")
    x = [each.probability for each in calibration.bins]
    y = [each.frequency for each in calibration.bins]
    sizes = [20 + 130 * each.rows / most for each in calibration.bins]
    axes.plot(x, y, color=_COLOURS[0], linewidth=1)
    axes.scatter(x, y, s=sizes, color=_COLOURS[0], label="a bin, larger with more rows")
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.05, 1.05)
    axes.set_xlabel(f"probability {_short(of)}")
    axes.set_ylabel("how often it came true")
    axes.legend(frameon=False, fontsize="small", loc="upper left")


def _predictions(grid: Grid, target: str) -> Picture:
    says = f"Rows by the expected and the predicted {target}; on the line they are the same."
    return Picture("predictions.svg", "Predicted and expected", says, partial(_draw_predictions, grid))


def _draw_predictions(grid: Grid, axes: "Axes") -> None:
    counts = [[count or float("nan") for count in row] for row in zip(*grid.counts, strict=True)]
    mesh = axes.pcolormesh(grid.edges, grid.edges, counts, cmap="cividis_r", vmin=0, rasterized=False)
    axes.figure.colorbar(mesh, ax=axes, label="rows")
    ends = [grid.edges[0], grid.edges[-1]]
    axes.plot(ends, ends, color=_COLOURS[1], linewidth=1.2)
    axes.set_xlabel("expected")
    axes.set_ylabel("predicted")


def _residuals(histogram: Histogram, target: str) -> Picture:
    says = f"How far the expected {target} is above the predicted one: between {histogram.edges[0]:.4g} and {histogram.edges[-1]:.4g}."
    return Picture("residuals.svg", "Residuals", says, partial(_draw_residuals, histogram))


def _draw_residuals(histogram: Histogram, axes: "Axes") -> None:
    axes.stairs(histogram.counts, histogram.edges, fill=True, color=_COLOURS[0])
    axes.axvline(0, color=_COLOURS[1], linewidth=1.2)
    axes.set_xlabel("expected less predicted")
    axes.set_ylabel("rows")


def _short(label: str) -> str:
    return label if len(label) <= _LONGEST else f"{label[: _LONGEST - 1]}…"
