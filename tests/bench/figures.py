"""Figures of a run: median, unit, rounds and spread; `build/bench.json` is the flat object others read."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.bench.cluster import ROOT

FIGURES = ROOT / "build/bench.json"
DETAIL = ROOT / "build/bench/detail.json"


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure: `value` is the median of `values`, one a round, in `unit`."""

    name: str
    unit: str
    values: tuple[float, ...]

    @property
    def value(self) -> float:
        """The median."""
        return statistics.median(self.values)

    @property
    def spread(self) -> tuple[float, float]:
        """Least and greatest."""
        return min(self.values), max(self.values)


class Figures:
    """All figures; what an earlier run measured stays until it is measured again, also when only a part is run."""

    def __init__(self, path: Path = FIGURES, detail: Path = DETAIL) -> None:
        self._path = path
        self._detail = detail
        self.about: dict[str, object] = {}
        self._figures: dict[str, Figure] = {}
        if detail.exists():
            known = json.loads(detail.read_text(encoding="utf-8"))
            self.about = known["about"]
            for row in known["figures"]:
                self._figures[row["name"]] = Figure(row["name"], row["unit"], tuple(row["values"]))

    def add(self, name: str, unit: str, values: Sequence[float]) -> Figure:
        """Take in a figure's rounds and write both files, so that an interrupted run keeps what it had."""
        figure = self._figures[name] = Figure(name, unit, tuple(values))
        self.write()
        return figure

    def measured(self, part: str, **how: object) -> None:
        """Note when and how a part was measured, and write both files."""
        known = self.about.setdefault("measured", {})
        assert isinstance(known, dict)
        known[part] = how
        self.write()

    def drop(self, name: str) -> None:
        """Forget a figure that could not be measured this time."""
        self._figures.pop(name, None)

    def write(self) -> None:
        """Write `build/bench.json` and, with every round, `build/bench/detail.json`."""
        self._detail.parent.mkdir(parents=True, exist_ok=True)
        flat = {
            name: {"value": round(figure.value, 3), "unit": figure.unit, "rounds": len(figure.values)}
            for name, figure in sorted(self._figures.items())
        }
        self._path.write_text(json.dumps(flat, indent=1) + "\n", encoding="utf-8")
        rows = [asdict(figure) for _, figure in sorted(self._figures.items())]
        self._detail.write_text(json.dumps({"about": self.about, "figures": rows}, indent=1) + "\n", encoding="utf-8")

    def __contains__(self, name: str) -> bool:
        return name in self._figures

    def __getitem__(self, name: str) -> Figure:
        return self._figures[name]

    def under(self, prefix: str) -> list[Figure]:
        """Figures whose name begins with `prefix`, by name."""
        return [figure for name, figure in sorted(self._figures.items()) if name.startswith(prefix)]
