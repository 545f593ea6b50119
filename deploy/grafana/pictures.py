"""Pictures of the dashboards from what their queries gave in the last `make test-live`, drawn without Grafana.

Needs matplotlib, of the environment of `make bench`; `make pictures` runs it.
"""

from __future__ import annotations

import json
import sys
from itertools import pairwise
from pathlib import Path
from textwrap import wrap
from typing import Any

import matplotlib as mpl

mpl.use("Agg")

from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "build" / "deploy" / "dashboards.json"
COLUMNS = 24
MOST_SERIES = 8
NARROW = 20
"""Letters that fit above a stat."""
UNIT = {
    "cps": "{:g}/s",
    "s": "{:g} s",
    "percentunit": "{:.0%}",
    "d": "{:g} d",
    "currencyUSD": "${:,g}",
    "massg": "{:g} g",
}


def _value(unit: str, value: float) -> str:
    if unit == "bytes":
        return f"{value / 1024:.0f} KiB"
    if unit == "bool_yes_no":
        return "yes" if value else "no"
    return UNIT.get(unit, "{:g}").format(float(f"{value:.4g}"))


def _with_gaps(points: list[list[float]]) -> list[list[float]]:
    """The points, with a hole where some are missing, as Grafana shows it."""
    shown: list[list[float]] = []
    step = min((after[0] - before[0] for before, after in pairwise(points)), default=0.0)
    for at, value in points:
        if shown and at - shown[-1][0] > 2.5 * step:
            shown.append([at, float("nan")])
        shown.append([at, value])
    return shown


def _draw(panel: dict[str, Any], axes: Axes, end: float) -> None:
    # A stat is narrow: its title would run into the next one's.
    title = panel["title"] if panel["kind"] != "stat" else "\n".join(wrap(panel["title"], NARROW))
    axes.set_title(title, fontsize=11, loc="left", color="#ddd")
    axes.set_facecolor("#181b1f")
    series = [one for one in panel["series"] if one[1]]
    if panel["kind"] != "timeseries":
        axes.axis("off")
        if panel["kind"] == "stat":
            last = [(legend, _value(panel["unit"], points[-1][1])) for legend, points in series]
            text = last[0][1] if len(last) == 1 else "\n".join(f"{value} {legend}" for legend, value in last)
            axes.text(0.5, 0.4, text, fontsize=22 if len(last) == 1 else 13, ha="center", color="#73bf69")
        else:
            now = max(points[-1][0] for _, points in series)
            legends = sorted({legend for legend, points in series if points[-1][0] == now})
            axes.text(
                0.02, 0.9, "\n".join(legends[:MOST_SERIES]), fontsize=10, va="top", color="#ddd", family="monospace"
            )
        return
    for legend, points in series[:MOST_SERIES]:
        shown = _with_gaps(points)
        axes.plot([at for at, _ in shown], [value for _, value in shown], linewidth=1.2, label=legend)
    axes.set_xlim(0, end)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _value(panel["unit"], value)))
    flat = max((value for _, points in series[:MOST_SERIES] for _, value in points), default=0.0) == 0
    axes.set_ylim(bottom=0, top=1 if flat else None)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=5))
    axes.tick_params(labelsize=8, colors="#aaa")
    axes.grid(color="#333", linewidth=0.4)
    axes.legend(
        fontsize=8, loc="upper left", bbox_to_anchor=(0, -0.09), ncol=max(1, panel["width"] // 4), frameon=False,
        labelcolor="#ddd", handlelength=1.2, columnspacing=1.0, labelspacing=0.2,
    )  # fmt: skip


def draw(board: dict[str, Any], path: Path) -> None:
    """One dashboard as one picture, its panels where Grafana places them."""
    lines: list[list[dict[str, Any]]] = []
    for row in board["rows"]:
        room = 0
        for panel in row["panels"]:
            if room < panel["width"]:
                lines.append([])
                room = COLUMNS
            lines[-1].append(panel)
            room -= panel["width"]
    end = max(
        points[-1][0] for row in board["rows"] for panel in row["panels"] for _, points in panel["series"] if points
    )
    figure = plt.figure(figsize=(15, 2.9 * len(lines) + 0.6), facecolor="#111217", layout="constrained")
    figure.suptitle(f"{board['title']} (seconds; one stage's failures after the other's)", fontsize=14, color="#eee")
    grid = figure.add_gridspec(len(lines), COLUMNS)
    for y, line in enumerate(lines):
        x = 0
        for panel in line:
            _draw(panel, figure.add_subplot(grid[y, x : x + panel["width"]]), end)
            x += panel["width"]
    figure.savefig(path, dpi=80)
    plt.close(figure)


def main() -> int:
    """Draw all of them into docs/images/."""
    if not DATA.exists():
        print(f"{DATA.relative_to(ROOT)} is not there: run `make test-live` first", file=sys.stderr)
        return 1
    for board in json.loads(DATA.read_text("utf-8")):
        path = ROOT / "docs" / "images" / f"{board['uid']}.png"
        path.parent.mkdir(exist_ok=True)
        draw(board, path)
        print(path.relative_to(ROOT))
    return 0


if __name__ == "__main__":
    sys.exit(main())
