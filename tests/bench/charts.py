"""Charts of the last run as PNG files in `build/bench/`: `python -m tests.bench.charts` in the rivals' environment."""

from __future__ import annotations

import matplotlib as mpl

mpl.use("Agg")

from matplotlib import pyplot as plt
from matplotlib.figure import Figure as Plot

from tests.bench.figures import DETAIL, Figure, Figures

OURS, OTHERS = "#1b6ca8", "#9aa5b1"
GROWTH = {
    "partitions": ["partitions_4", "partitions_16", "partitions_64"],
    "size": ["size_0.3_kb", "size_2_kb", "size_20_kb"],
    "workers": ["workers_1", "workers_2", "workers_4"],
    "backlog": ["backlog_10k", "backlog_1m"],
}
"""What grows, in the order it is drawn."""


def _bars(figures: list[Figure], prefix: str, title: str, unit: str, file: str) -> None:
    if not figures:
        return
    figures = sorted(figures, key=lambda figure: figure.value)
    names = [figure.name.removeprefix(prefix).replace("_", " ") for figure in figures]
    values = [figure.value for figure in figures]
    errors = [
        [figure.value - figure.spread[0] for figure in figures], [figure.spread[1] - figure.value for figure in figures]
    ]  # fmt: skip
    colors = [OURS if name.startswith("lotrisk") else OTHERS for name in names]
    plot, axes = plt.subplots(figsize=(8, 0.5 * len(names) + 1.2), layout="constrained")
    axes.barh(names, values, xerr=errors, color=colors, capsize=3)
    axes.set_title(title)
    axes.set_xlabel(unit)
    axes.spines[["top", "right"]].set_visible(False)
    _save(plot, file)


def _latency(figures: Figures, percentile: str, file: str) -> None:
    plot, axes = plt.subplots(figsize=(8, 4), layout="constrained")
    drawn = False
    for place, style in (("", "-"), (".16_partitions", "--")):
        for label, color in (("", OURS), (".exactly_once", "#c0561f")):
            names = [(rate, f"latency.{percentile}_ms.{rate}{place}{label}") for rate in (500, 2_000, 10_000)]
            points = [(rate, figures[name].value) for rate, name in names if name in figures]
            if points:
                guarantee = "exactly once" if label else "at least once"
                title = f"{guarantee}, {'16' if place else '4'} partitions"
                axes.plot(*zip(*points, strict=True), style, color=color, marker="o", label=title)
                drawn = True
    if not drawn:
        return
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xticks([500, 2_000, 10_000], ["500", "2,000", "10,000"])
    axes.set_xlabel("records/s")
    axes.set_ylabel("ms")
    axes.set_title(f"Latency end to end, {percentile}")
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    _save(plot, file)


def _growth(figures: Figures, file: str) -> None:
    shown = [
        (label, [one for one in figures.under(f"growth.{label}_") if one.name.removeprefix("growth.") in order])
        for label, order in GROWTH.items()
    ]
    shown = [(label, found) for label, found in shown if found]
    if not shown:
        return
    plot, panels = plt.subplots(2, len(shown), figsize=(3 * len(shown), 5), layout="constrained", squeeze=False)
    for column, (label, found) in enumerate(shown):
        found.sort(key=lambda figure: GROWTH[label].index(figure.name.removeprefix("growth.")))
        names = [figure.name.removeprefix(f"growth.{label}_").replace("_", " ") for figure in found]
        memory = [figures[figure.name.replace("growth.", "rss_mb.")].value for figure in found]
        rates, peaks = panels[0][column], panels[1][column]
        rates.bar(names, [figure.value for figure in found], color=OURS, width=0.6)
        peaks.bar(names, memory, color=OTHERS, width=0.6)
        rates.set_title(label)
        for axes in (rates, peaks):
            axes.spines[["top", "right"]].set_visible(False)
    panels[0][0].set_ylabel("records/s")
    panels[1][0].set_ylabel("peak memory of a worker, MB")
    plot.suptitle("Growth: light function, exactly once, with state")
    _save(plot, file)


def _save(plot: Plot, file: str) -> None:
    path = DETAIL.parent / file
    plot.savefig(path, dpi=120)
    plt.close(plot)
    print(path.name)


def main() -> None:
    """Draw what has been measured."""
    figures = Figures()
    rates = figures.under("throughput.")
    real = [figure for figure in rates if figure.name.startswith("throughput.real.")]
    light = [figure for figure in rates if figure not in real]
    _bars(light, "throughput.", "The same light function, records a second", "records/s", "throughput.png")
    _bars(real, "throughput.real.", "Vehicles enriched in full, records a second", "records/s", "real.png")
    _latency(figures, "p99", "latency.png")
    _growth(figures, "growth.png")
    for kind in ("vehicle", "part"):
        stages = figures.under(f"enrich.us.{kind}.")
        _bars(stages, "enrich.us.", f"What a {kind} costs in the core", "microseconds", f"stages_{kind}.png")


if __name__ == "__main__":
    main()
