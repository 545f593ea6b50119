"""Country of origin as people type it: name, alpha-2, alpha-3, UK, or EU for goods whose member state is not given."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

from streams.reference.trade import EU, TradeReference
from streams.reference.trade_records import Country

_EU_NAMES = ("EU", "EUU", "EU27", "EU-27", "EUROPEAN UNION")


class OriginError(ValueError):
    """What was given is no country of origin."""


def parse_origin(text: str, trade: TradeReference) -> str:
    """ISO alpha-2 of a country given by name or code, or `EU`.

    Raises:
        OriginError: empty, or not a country.
    """
    folded = _fold(text)
    if not folded:
        raise OriginError("origin: empty; give a country by name, alpha-2 or alpha-3 code")
    code = _index(trade.countries).get(folded)
    if code is None:
        raise OriginError(f"origin: {text!r} is not a country; give its name, alpha-2 or alpha-3 code, or EU")
    return code


@lru_cache(maxsize=4)
def _index(countries: tuple[Country, ...]) -> dict[str, str]:
    index = {_fold(name): EU for name in _EU_NAMES}
    for row in countries:
        for name in (row.name, *(row.other_names or "").split(";")):
            if name:
                index[_fold(name)] = row.alpha2
    for row in countries:
        index[row.alpha3] = index[row.alpha2] = row.alpha2
    return index


def _fold(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return " ".join(plain.replace(".", " ").replace(",", " ").upper().split())
