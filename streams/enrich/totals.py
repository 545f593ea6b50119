"""Totals of one partition: sums by cell, and from these the sums of each group, absolute and exact.

All sums are whole numbers (cents, thousandths of a unit, tenths of a milligram), so they don't depend on the order in
which records came and went, and what is subtracted leaves nothing behind.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from operator import add, sub
from typing import Final

from streams.enrich.contribution import A_THREAT, FIXED, UNITS, Cell, Part, read_cell

LOT: Final = "book:all"
"""The group of everything on the lot."""
TOP_MODELS: Final = 10
"""Models and part families that a partition names within the whole lot, those with the most rare earths first: one with
a tenth of a partition's grams is always among them."""
_NO_AMOUNTS: Final = [0] * FIXED
_MOST: Final = 2**53
"""Four hundred thousand tonnes of an element; JSON keeps whole numbers up to here."""

Grams = tuple[tuple[str, int, int, int], ...]
Json = dict[str, object]


class GroupSum:
    """The sum of one group in one partition."""

    __slots__ = ("amounts", "flags", "threats", "units", "verdicts")

    def __init__(self) -> None:
        self.amounts: list[int] = _NO_AMOUNTS
        self.units: dict[Grams | None, int] = {}
        self.verdicts: dict[str, int] = {}
        self.flags: dict[str, list[int]] = {}
        self.threats: dict[str, list[int]] = {}

    @property
    def records(self) -> int:
        """How many records it is the sum of."""
        return self.amounts[0]

    def add(self, cell: Cell, delta: list[int]) -> None:
        """Add the change of a cell's sums."""
        self.amounts = list(map(add, self.amounts, delta))
        self.units[cell.grams] = self.units.get(cell.grams, 0) + (delta[1] if cell.grams is not None else delta[0])
        if cell.verdict is not None:
            self.verdicts[cell.verdict] = self.verdicts.get(cell.verdict, 0) + delta[0]
        place = FIXED
        for measure in cell.threats:
            _add_to(self.threats, measure, [delta[0], *delta[place : place + A_THREAT]])
            place += A_THREAT
        for kind, severity in cell.flags:
            _add_to(self.flags, f"{kind}/{severity}", [delta[0], delta[place]])
            place += 1

    def grams(self) -> dict[str, list[int]]:
        """Tenths of a milligram by element, low, central and high."""
        found: dict[str, list[int]] = {}
        for grams, units in self.units.items():
            if grams is None or not units:
                continue
            for element, *masses in grams:
                _add_to(found, element, [mass * units for mass in masses])
        return {
            element: [min(mass // UNITS, _MOST) for mass in found[element]]
            for element in sorted(found)
            if found[element][2]
        }

    def central(self) -> int:
        """Central grams of all elements, in tenths of a milligram times thousandths of a unit: to compare groups by."""
        return sum(_central(grams) * units for grams, units in self.units.items() if grams is not None)

    def members(self) -> Json:
        """The totals as they stand on `lotrisk.totals`: `schemas.group.Totals`."""
        one = self.amounts
        found: Json = {
            "records": one[0],
            "units_e3": one[1],
            "value_cents": one[2],
            "value_unknown": one[3],
            "landed_cents": one[4:7],
            "landed_unknown": one[7],
            "replacement_cents": one[8:11],
            "replacement_unknown": one[11],
            "change_cents": one[12:15],
            "change_unknown": one[15],
            "grams_e4": self.grams(),
            "grams_unknown": self.units.get(None, 0),
        }
        for name, sums in (("threatened", self.threats), ("open_flags", self.flags)):
            if shown := {key: sums[key] for key in sorted(sums) if sums[key][0]}:
                found[name] = shown
        if verdicts := {key: self.verdicts[key] for key in sorted(self.verdicts) if self.verdicts[key]}:
            found["verdicts"] = verdicts
        return found

    def share(self) -> Json:
        """What the whole lot tells of a part of itself: value, and central grams by element."""
        return {
            "value_cents": self.amounts[2],
            "grams_e4": {element: masses[1] for element, masses in self.grams().items()},
        }


@lru_cache(maxsize=16_384)
def _central(grams: Grams) -> int:
    return sum(masses[2] for masses in grams)


def _add_to(sums: dict[str, list[int]], key: str, delta: list[int]) -> None:
    before = sums.get(key)
    sums[key] = delta if before is None else list(map(add, before, delta))


class Totals:
    """Sums of one partition by cell, with what of them was not told yet.

    Belongs to a lane. `exchange` is called for every record taken into the state, so it does the least; groups follow
    at `settle`.
    """

    def __init__(self, rows: Iterable[tuple[bytes, list[int]]] = (), told: int | None = None) -> None:
        """`rows`: sums by cell as `rows` gave them, each after the number of the change that made it; `told`: up to
        which change the groups have been published, None where that isn't known."""
        self.told = told
        self.change = told or 0
        self._sums: dict[bytes, list[int]] = {}
        self._settled: dict[bytes, list[int] | None] = {}
        self._touched: dict[bytes, None] = {}
        self._groups: dict[str, GroupSum] = {}
        self._mix: dict[tuple[str, str, str], GroupSum] = {}
        self._waiting: dict[str, None] = {}
        fresh: list[bytes] = []
        for cell, (change, *sums) in rows:
            self._sums[cell] = sums
            self._settled[cell] = None
            self.change = max(self.change, change)
            if told is None or change > told:
                fresh.append(cell)
        everything = tuple(self._settled)
        self.settle()
        # What was told already need not be told again.
        self._waiting = {
            group: None for cell in everything if cell in fresh for group in (*read_cell(cell).groups, LOT)
        }

    # -- records

    def exchange(self, replaced: Part | None, published: Part | None) -> None:
        """A record's contribution takes the place of another; None is none."""
        if replaced is not None:
            numbers, cell = replaced
            before = self._sums.get(cell)
            if cell not in self._settled:
                self._settled[cell] = before
            self._sums[cell] = [-number for number in numbers] if before is None else list(map(sub, before, numbers))
            self._touched[cell] = None
        if published is not None:
            numbers, cell = published
            before = self._sums.get(cell)
            if cell not in self._settled:
                self._settled[cell] = before
            self._sums[cell] = numbers if before is None else list(map(add, before, numbers))
            self._touched[cell] = None

    def rows(self) -> Iterator[tuple[bytes, list[int]]]:
        """The cells changed since the last call, for the state to write down, as one change."""
        if self._touched:
            self.change += 1
            touched, self._touched = self._touched, {}
            for cell in touched:
                yield cell, [self.change, *self._sums[cell]]

    # -- groups

    @property
    def changed(self) -> bool:
        """Whether anything has not been told."""
        return bool(self._settled or self._waiting)

    def settle(self) -> int:
        """Bring the groups up to the cells; returns the number of the last change in them, for `tell`."""
        settled, self._settled = self._settled, {}
        for text, before in settled.items():
            now = self._sums[text]
            delta = now if before is None else list(map(sub, now, before))
            if not any(delta):
                continue
            cell = read_cell(text)
            for group in (*cell.groups, LOT):
                found = self._groups.get(group)
                if found is None:
                    found = self._groups[group] = GroupSum()
                found.add(cell, delta)
                self._waiting[group] = None
            mix = (cell.goods, cell.origin, cell.powertrain)
            self._mix.setdefault(mix, GroupSum()).add(cell, delta)
        return self.change

    def expect(self, groups: Iterable[str]) -> None:
        """Tell of every group again: these stand on the topic, and it isn't known which of them are right."""
        self.settle()
        self._waiting = dict.fromkeys((*groups, *self._groups))

    def waiting(self) -> Iterator[tuple[str, Json | None]]:
        """The groups to tell of; None where nothing of one is left. Call `settle` before."""
        for group in list(self._waiting):
            found = self._groups.get(group)
            if found is None or not found.records:
                yield group, None
                continue
            members = found.members()
            if group == LOT:
                members |= self._parts_of_lot()
            yield group, members

    def tell(self, change: int) -> list[bytes]:
        """What `waiting` gave, after a `settle` that returned `change`, stands on the topic now.

        Returns the cells that may be forgotten.
        """
        self._waiting = {}
        self.told = change
        for group in [group for group, found in self._groups.items() if not found.records]:
            del self._groups[group]
        # A cell that was touched since has its change still to be told.
        gone = [cell for cell, sums in self._sums.items() if not sums[0] and cell not in self._settled]
        for cell in gone:
            del self._sums[cell]
        return gone

    def mix(self) -> Mapping[tuple[str, str, str], GroupSum]:
        """Sums by kind of goods, origin and powertrain, for metrics. Call `settle` before."""
        return {key: found for key, found in self._mix.items() if found.records}

    def group(self, key: str) -> GroupSum | None:
        """The sum of a group. Call `settle` before."""
        return self._groups.get(key)

    def _parts_of_lot(self) -> Json:
        """Within the whole lot: every origin, and the models and part families with the most rare earths."""
        origins = self._of_kind("origin:")
        models = sorted(
            (
                (sum(masses[1] for masses in found.grams().values()), group)
                for group, found in self._of_kind("model:", "family:")
            ),
            key=lambda one: (-one[0], one[1]),
        )[:TOP_MODELS]
        return {
            "origins": {group: found.share() for group, found in sorted(origins)},
            "models": {group: self._groups[group].share() for grams, group in models if grams},
        }

    def _of_kind(self, *kinds: str) -> Iterator[tuple[str, GroupSum]]:
        return ((group, found) for group, found in self._groups.items() if group.startswith(kinds) and found.records)
