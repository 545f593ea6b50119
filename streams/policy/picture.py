"""A line's total rate over time as an SVG picture: steps for the default answer, a band for what facts leave open."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from xml.sax.saxutils import escape

from streams.policy.duty import Scenario
from streams.policy.history import Stretch

_WIDTH, _HEIGHT = 960, 420
_LEFT, _RIGHT, _TOP, _BOTTOM = 60, 20, 50, 60


def timeline_svg(title: str, stretches: Sequence[Stretch]) -> str:
    """The picture; a stretch without any answer is left empty."""
    first, last = stretches[0].first, stretches[-1].last
    days = max((last - first).days + 1, 1)
    top = max((float(one.rates.high.total_rate_percent) for one in stretches if one.rates.high), default=0.0)
    scale = _scale(top)

    def x(day: date, end: bool = False) -> float:
        return round(_LEFT + ((day - first).days + end) / days * (_WIDTH - _LEFT - _RIGHT), 1)

    def y(scenario: Scenario) -> float:
        share = float(scenario.total_rate_percent) / scale
        return round(_HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM), 1)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif" '
        'font-size="12" role="img">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#fff"/>',
        f'<text x="{_LEFT}" y="28" font-size="16" fill="#222">{escape(title)}: total duty, % of customs value</text>',
    ]
    for step in range(5):
        value = scale * step / 4
        line = round(_HEIGHT - _BOTTOM - step / 4 * (_HEIGHT - _TOP - _BOTTOM), 1)
        parts.append(f'<path d="M{_LEFT} {line}H{_WIDTH - _RIGHT}" stroke="#ddd"/>')
        parts.append(f'<text x="{_LEFT - 8}" y="{line + 4}" text-anchor="end" fill="#555">{value:g}</text>')
    for year in range(first.year, last.year + 1):
        day = max(date(year, 1, 1), first)
        parts.append(f'<text x="{x(day)}" y="{_HEIGHT - _BOTTOM + 20}" fill="#555">{year}</text>')
        parts.append(f'<path d="M{x(day)} {_TOP}V{_HEIGHT - _BOTTOM}" stroke="#eee"/>')
    path: list[str] = []
    labelled: Decimal | None = None
    for one in stretches:
        low, central, high = one.rates.low, one.rates.central, one.rates.high
        begin, end = x(one.first), x(one.last, end=True)
        if low is not None and high is not None and low.total_rate_percent != high.total_rate_percent:
            parts.append(
                f'<rect x="{begin}" y="{y(high)}" width="{round(end - begin, 1)}" '
                f'height="{round(y(low) - y(high), 1)}" fill="#9ec5e8" fill-opacity="0.5"/>'
            )
        if central is None:
            path.append("")
            labelled = None
            continue
        command = "L" if path and path[-1] else "M"
        path.append(f"{command}{begin} {y(central)}H{end}")
        if central.total_rate_percent != labelled:
            label = f"{central.total_rate_percent.normalize():f}"
            parts.append(f'<text x="{begin + 2}" y="{y(central) - 5}" fill="#123">{label}</text>')
        labelled = central.total_rate_percent
    parts.append(f'<path d="{"".join(path)}" fill="none" stroke="#1f5f99" stroke-width="2"/>')
    parts.append(
        f'<text x="{_LEFT}" y="{_HEIGHT - 14}" fill="#555">band: what missing facts leave open; '
        f"{first} to {last}</text>"
    )
    parts.append("</svg>\n")
    return "\n".join(parts)


def _scale(top: float) -> float:
    for step in (10, 20, 40, 60, 80, 100, 120, 160, 200, 300, 400):
        if top <= step:
            return float(step)
    return top
