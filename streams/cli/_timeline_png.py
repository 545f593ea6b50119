"""A line's total rate over time as a PNG, drawn by matplotlib, an extra."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from streams.policy.history import Stretch

NOT_INSTALLED = "--png needs matplotlib, which isn't installed: pip install 'lotrisk[pictures]', or take --svg"


class NotInstalled(RuntimeError):
    """Matplotlib is not there; the message says what to install."""


def write_png(path: Path, title: str, stretches: Sequence[Stretch]) -> None:
    """Draw the default answer as steps and what missing facts leave open as a band; a stretch with neither is empty.

    Raises:
        NotInstalled: the extra `pictures` is not installed.
    """
    try:
        from matplotlib.dates import ConciseDateFormatter, date2num
        from matplotlib.figure import Figure
    except ImportError as error:
        raise NotInstalled(NOT_INSTALLED) from error
    figure = Figure(figsize=(12, 5.2), dpi=120, layout="constrained")
    axes = figure.subplots()
    days: list[float] = []
    rates: list[float] = []
    for one in stretches:
        low, central, high = one.rates.low, one.rates.central, one.rates.high
        span = [float(date2num(day)) for day in (one.first, one.last + timedelta(days=1))]  # type: ignore[no-untyped-call]  # untyped in matplotlib
        if low is not None and high is not None and low.total_rate_percent != high.total_rate_percent:
            axes.fill_between(
                span, float(low.total_rate_percent), float(high.total_rate_percent), color="#9ec5e8", alpha=0.5, lw=0
            )
        rate = float("nan") if central is None else float(central.total_rate_percent)
        if central is not None and (not rates or rates[-1] != rate):
            axes.annotate(f"{rate:g}", (span[0], rate), xytext=(2, 3), textcoords="offset points", fontsize=8)
        days += span
        rates += [rate, rate]
    axes.plot(days, rates, color="#1f5f99", lw=2)  # a stretch without an answer (NaN) breaks the line
    axes.set_title(f"{title}: total duty, % of customs value", loc="left")
    axes.set_ylim(bottom=0)
    axes.margins(x=0.01)
    axes.xaxis_date()
    axes.xaxis.set_major_formatter(ConciseDateFormatter(axes.xaxis.get_major_locator()))  # type: ignore[no-untyped-call]  # untyped in matplotlib
    axes.grid(color="#ddd", lw=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlabel(f"band: what missing facts leave open; {stretches[0].first} to {stretches[-1].last}", fontsize=9)
    figure.savefig(path, format="png")
