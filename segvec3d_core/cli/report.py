"""Output of ``segvec3d eval``: table lines, JSON values and the reliability plot of a report."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from segvec3d_core.evaluate import Report, RetrievalReport, Variation
from segvec3d_core.figures import Figure, Reliability, Row
from segvec3d_core.files import require_writable

FRAME_COLUMNS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("overlap P / R / F", ("overlap_precision", "overlap_recall", "overlap_f")),
    ("boundary P / R / F", ("boundary_precision", "boundary_recall", "boundary_f")),
    ("F > 0.75", ("detected",)),
    ("IoU > 0.5: P / R / F", ("iou50_precision", "iou50_recall", "iou50_f")),
    ("AP / AP50 / AP25", ("ap", "ap50", "ap25")),
    ("ARI", ("adjusted_rand",)),
    ("mIoU", ("surface_miou",)),
)
"""Columns of the table for frames: title and figures."""

SCAN_COLUMNS = (
    ("AP / AP50 / AP25", ("ap", "ap50", "ap25")),
    ("ARI", ("adjusted_rand",)),
    ("mIoU / accuracy", ("surface_miou", "surface_accuracy")),
)
"""Columns of the table for scans: title and figures."""

TOLD = {
    "overlap_f": "overlap F", "boundary_f": "boundary F", "detected": "F > 0.75", "iou50_f": "IoU > 0.5 F",
    "ap50": "AP50", "ap25": "AP25", "adjusted_rand": "ARI", "surface_miou": "mIoU",
}  # fmt: skip
"""Figures whose interval and spread are printed, with their titles; the JSON has those of all figures."""

_NAME_WIDTH = 30


def columns_of(report: Report) -> Sequence[tuple[str, tuple[str, ...]]]:
    """Columns for a report: those of frames or of scans."""
    return FRAME_COLUMNS if "overlap_f" in report.figures else SCAN_COLUMNS


def header(columns: Sequence[tuple[str, tuple[str, ...]]]) -> str:
    """Format the first line of a table."""
    titles = "  ".join(f"{title:>{_width(title, names)}}" for title, names in columns)
    return f"{'':{_NAME_WIDTH}} {titles}  {'ms p50 / p95':>13}"


def line(name: str, figures: Mapping[str, Figure], columns: Sequence[tuple[str, tuple[str, ...]]]) -> str:
    """Format a line of a table, in percent; a dash for figures that were not measured."""
    cells = (f"{_percents(figures[key].value for key in names):>{_width(title, names)}}" for title, names in columns)
    return f"{name:{_NAME_WIDTH}} {'  '.join(cells)}"


def report_lines(name: str, report: Report, parts: bool) -> list[str]:
    """A method's line with its times, followed by one for each subset if ``parts``."""
    columns, timing = columns_of(report), report.timing
    lines = [f"{line(name, report.figures, columns)}  {f'{timing.p50:.0f} / {timing.p95:.0f}':>13}"]
    for title, subset in report.subsets.items() if parts else ():
        lines.append(line(f"  {title} ({subset.count})", subset.figures, columns))
    return lines


def _width(title: str, names: tuple[str, ...]) -> int:
    return max(len(title), 8 * len(names) - 3)


def _percents(values: Iterable[float]) -> str:
    return " / ".join("-" if math.isnan(value) else f"{100 * value:.1f}" for value in values)


def interval_line(name: str, report: Report) -> str | None:
    """Line with the 95 % intervals of a method's main figures; None if there are too few rows."""
    told = [
        f"{title} {100 * figure.low:.1f} to {100 * figure.high:.1f}"
        for key, title in TOLD.items()
        if (figure := report.figures.get(key)) is not None and not math.isnan(figure.low)
    ]
    return f"95 % intervals of {name}: {', '.join(told)}" if told else None


def spread_lines(tried: Sequence[Variation], report: Report) -> list[str]:
    """A line for each main figure: its value, and the worst and best values with one constant changed."""
    lines = []
    for key, title in TOLD.items():
        known = [variation for variation in tried if not math.isnan(variation.figures.get(key, math.nan))]
        if known:
            worst, best = (end(known, key=lambda variation: variation.figures[key]) for end in (min, max))
            lines.append(
                f"  {title:12} {_percents([report.figures[key].value]):>5}: {_at(worst, key)}, {_at(best, key)}"
            )
    return lines


def _at(variation: Variation, key: str) -> str:
    return f"{100 * variation.figures[key]:.1f} with {variation.constant} {variation.value:.3g}"


def retrieval_line(kind: str, report: RetrievalReport) -> str:
    """Line with the share of names that find their object."""
    low, high = report.found.interval()
    return (
        f'"the NAME", {report.found.total} queries by {kind}: {100 * report.found.rate:.1f} % found '
        f"(95% interval {100 * low:.1f} to {100 * high:.1f}), chance {100 * report.chance:.1f} %; "
        f"at the model's own threshold {100 * report.answered.rate:.1f} %"
    )


# JSON: fractions and milliseconds, None for figures that were not measured ------------------------------------------


def report_values(report: Report) -> dict[str, Any]:
    """JSON values of a report: every figure, interval, subset and row."""
    rows = "frames" if "overlap_f" in report.figures else "scans"
    return {
        **figure_values(report.figures),
        "subsets": {
            name: {"count": subset.count, **figure_values(subset.figures)} for name, subset in report.subsets.items()
        },
        "milliseconds": dataclasses.asdict(report.timing),
        rows: [row_values(row) for row in report.rows],
    }


def figure_values(figures: Mapping[str, Figure]) -> dict[str, Any]:
    """JSON values of figures: values under ``summary``, 95 % intervals under ``intervals``."""
    return {
        "summary": {name: known(figure.value) for name, figure in figures.items()},
        "intervals": {name: [known(figure.low), known(figure.high)] for name, figure in figures.items()},
    }


def row_values(row: Row) -> dict[str, Any]:
    """JSON values of one frame or scan."""
    values: dict[str, Any] = {"name": row.name, "tags": dict(row.tags), "adjusted_rand": known(row.adjusted_rand)}
    values |= {"predicted": len(row.instances.scores), "true": len(row.instances.true_sizes)}
    if row.masks is not None:
        score = row.masks
        values |= {"overlap_f": score.overlap.f, "boundary_f": score.boundary.f, "detected": score.detected}
        values |= {"predicted": score.predicted, "true": score.true, "hits": score.hits}
    return values | {"quality": row.quality, "milliseconds": 1e3 * row.seconds}


def retrieval_values(report: RetrievalReport) -> dict[str, Any]:
    """JSON values of a retrieval report."""
    return {
        "queries": report.found.total,
        "hits": report.found.hits,
        "rate": report.found.rate,
        "interval": report.found.interval(),
        "hits_at_threshold": report.answered.hits,
        "chance": report.chance,
    }


def spread_values(tried: Sequence[Variation]) -> list[dict[str, Any]]:
    """JSON values of every variation, with all its figures."""
    return [
        {
            "constant": variation.constant,
            "value": variation.value,
            "summary": {name: known(value) for name, value in variation.figures.items()},
        }
        for variation in tried
    ]


def reliability_values(plot: Reliability) -> dict[str, Any]:
    """JSON values of a reliability plot: its bins and expected calibration error."""
    bins = [
        {"from": low, "to": high, "objects": count, "score": known(score), "share": known(share)}
        for low, high, count, score, share in zip(
            plot.edges[:-1].tolist(), plot.edges[1:].tolist(), plot.counts.tolist(), plot.scores.tolist(),
            plot.shares.tolist(), strict=True,
        )
    ]  # fmt: skip
    return {"expected_calibration_error": known(plot.error), "bins": bins}


def known(value: float) -> float | None:
    """The value, or None for NaN, which JSON cannot represent."""
    return None if math.isnan(value) else value


# Pictures -----------------------------------------------------------------------------------------------------------

_INK, _GREY, _BAR, _PAPER = (32, 36, 42), (190, 194, 200), (66, 122, 182), (255, 255, 255)
_SIDE, _MARGIN, _COUNT_HEIGHT = 420, 64, 90


def require_picture(path: str | Path) -> None:
    """Raise ValueError if the suffix is not that of a picture format, OSError if the path cannot be written."""
    Image.init()
    if (suffix := Path(path).suffix.lower()) not in Image.EXTENSION:
        raise ValueError(f"{path}: expected the name of a picture, such as .png, got {suffix or 'no suffix'}")
    require_writable(path)


def draw_reliability(plot: Reliability, path: str | Path) -> None:
    """Draw the share of objects with IoU > 0.5 against the score, with the diagonal of perfect calibration.

    Bars are the shares of the bins, dots are at their mean scores; a second plot below shows the number of objects.
    """
    page = Image.new("RGB", (_SIDE + 2 * _MARGIN, _SIDE + _COUNT_HEIGHT + 2 * _MARGIN), _PAPER)
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(14)
    left, bottom = _MARGIN, _MARGIN + _SIDE

    def at(score: float, share: float) -> tuple[float, float]:
        return left + score * _SIDE, bottom - share * _SIDE

    most = max(1, int(plot.counts.max(initial=0)))
    foot = bottom + 28 + _COUNT_HEIGHT
    for k, count in enumerate(plot.counts.tolist()):
        low, high = float(plot.edges[k]), float(plot.edges[k + 1])
        if not count:
            continue
        draw.rectangle([at(low, float(plot.shares[k])), at(high, 0)], fill=_BAR, outline=_PAPER)
        draw.rectangle(
            [(at(low, 0)[0], foot - count / most * (_COUNT_HEIGHT - 16)), (at(high, 0)[0], foot)], fill=_GREY
        )
        middle, height = at((low + high) / 2, 0)[0], foot - count / most * (_COUNT_HEIGHT - 16)
        draw.text((middle, height - 2), str(count), _INK, font, anchor="ms")
        x, y = at(float(plot.scores[k]), float(plot.shares[k]))
        draw.ellipse([x - 4, y - 4, x + 4, y + 4], fill=_INK)
    draw.line([at(0, 0), at(1, 1)], fill=_INK, width=1)
    draw.rectangle([at(0, 1), at(1, 0)], outline=_INK)
    for tick in (0.0, 0.5, 1.0):
        draw.text((at(tick, 0)[0], bottom + 4), f"{tick:.1f}", _INK, font, anchor="ma")
        draw.text((left - 6, at(0, tick)[1]), f"{tick:.1f}", _INK, font, anchor="rm")
    error = "-" if math.isnan(plot.error) else f"{100 * plot.error:.1f} %"
    draw.text((left, 16), f"share of objects with IoU > 0.5; {int(plot.counts.sum())} objects", _INK, font)
    draw.text((left, 36), f"expected calibration error {error}", _INK, font)
    draw.text((left + _SIDE / 2, foot + 6), "score (dots: mean of the bin), below: objects", _INK, font, anchor="ma")
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    page.save(path)
