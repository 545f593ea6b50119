"""The dealer group of a lot: its rooftops and who sells which make new."""

from __future__ import annotations

from dataclasses import dataclass

from streams.reference.lot import LotReference


@dataclass(frozen=True, slots=True)
class Dealer:
    """A rooftop: its id, its name, and the franchises it holds."""

    dealer_id: str
    franchises: tuple[str, ...]

    def rooftop(self, franchise: str | None) -> str:
        """The name on the building where this franchise is sold; of another make, the dealer's first."""
        held = franchise if franchise in self.franchises else self.franchises[0]
        return f"{self.dealer_id.replace('-', ' ').title()} {held}"


def dealer_group(reference: LotReference, count: int) -> tuple[Dealer, ...]:
    """`count` dealers that hold every franchise between them, shared out so that they sell about alike.

    With more dealers than franchises the largest franchises are held more than once.
    """
    weights: dict[str, float] = {}
    makes = {make.make: make for make in reference.makes}
    for model in reference.models:
        franchise = makes[model.make].franchise
        if franchise is not None:
            weights[franchise] = weights.get(franchise, 0.0) + model.weight
    ranked = sorted(weights, key=lambda name: (-weights[name], name))
    names = reference.words["dealer"]
    ids = [names[number] if number < len(names) else f"dealer-{number + 1}" for number in range(count)]
    held: list[list[str]] = [[] for _ in ids]
    load = [0.0] * count
    while ranked:
        for franchise in ranked:
            least = min(range(count), key=lambda number: (load[number], number))
            held[least].append(franchise)
            load[least] += weights[franchise]
        ranked = [] if all(held) else ranked[: held.count([])]
    return tuple(Dealer(dealer_id, tuple(franchises)) for dealer_id, franchises in zip(ids, held, strict=True))
