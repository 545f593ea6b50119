"""Records taken apart a slice at a time are what they are one by one, in Python and compiled."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.cloudevents import ORDER, OrderKey
from streams.enrich import contribution
from streams.enrich.contribution import Contribution, amounts, checked, encode, encode_cell
from streams.state import filling, slices
from streams.state.codec.held import published_head
from streams.state.layout import HEADER, finish

COMPILED = filling.take_apart
"""Where there was a compiler; Python beside itself where there was none."""
NAMES = (ORDER, HEADER, contribution.HEADER)
CELLS = [encode_cell((f"model:{name}",), "vehicle", "JP", "HEV", None, ()) for name in ("A", "B")]
ADDED = [
    encode(Contribution(cell, amounts(1000, price, None, (-1, 2, price), None)), ())
    for cell in CELLS
    for price in (0, 7, 10**12)
]
ORDERS = st.builds(
    OrderKey, st.sampled_from(["id", "x" * 255]), st.integers(0, 10**18 - 1), st.just("1.0.-1.2026-09-29")
)
PIECES = [b"0", b"1", b"/", b"-", b" ", b"_", b"+", b".5", b"]", b"[", b",", b'"', b"\xff", b"9" * 20]


@st.composite
def records(draw: st.DrawFn, *, foreign: bool) -> SimpleNamespace:
    """One as a lane publishes it; `foreign` with a piece put into it somewhere, or a header less."""
    value, layout = finish(
        b'{"vin":"X","a":[1]',
        draw(st.sampled_from([b"[]", b'[{"type":"x"}]'])),
        draw(st.sampled_from(["1.0.-1.2026-09-29", "b"])),
        canonical_end=10,
        updated_at_ms=draw(st.none() | st.integers(1 - 10**18, 10**18 - 1)),
        digest=draw(st.binary(min_size=16, max_size=16)),
    )
    parts: dict[str, bytes | None] = {
        "value": value, ORDER: draw(ORDERS).encode(), HEADER: layout, contribution.HEADER: draw(st.sampled_from(ADDED)),
    }  # fmt: skip
    if foreign:
        where, piece = draw(st.sampled_from(sorted(parts))), draw(st.sampled_from([None, *PIECES]))
        before, place = parts[where], draw(st.integers(0, 200))
        parts[where] = None if piece is None else (before or b"")[:place] + piece + (before or b"")[place:]
    elif draw(st.booleans()):
        del parts[contribution.HEADER]
    value_or_none = parts.pop("value")
    return SimpleNamespace(
        key=draw(st.none() | st.sampled_from([b"D1:A", b"D1:B", b"D1:C", b"D1:D"])),
        value=None if draw(st.integers(0, 5)) == 0 else value_or_none,
        headers=[("id", b"1"), *parts.items()],
    )


@given(st.lists(records(foreign=False), max_size=8))
def test_compiled_it_is_the_same(slice_of: list[SimpleNamespace]) -> None:
    marked, marked_too = bytearray(64), bytearray(64)
    found = slices.take_apart(slice_of, marked, *NAMES)
    assert COMPILED(slice_of, marked_too, *NAMES) == found
    assert marked_too == marked
    keys = [record.key for record in slice_of if record.key is not None]
    assert len(found[0]) + len(found[2]) == len(slice_of)
    assert sum(marked) <= len(set(keys))


@pytest.mark.parametrize("take_apart", [slices.take_apart, COMPILED], ids=["python", "in use"])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(slice_of=st.lists(records(foreign=True) | records(foreign=False), max_size=8))
def test_what_somebody_else_wrote_is_taken_as_it_is_one_by_one(
    take_apart: Callable[..., Any], slice_of: list[SimpleNamespace], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filling, "take_apart", take_apart)
    fresh, others = filling.Filling().take_apart(slice_of)
    left = [id(record) for record in others]
    taken = [record for record in slice_of if id(record) not in left]
    assert len(taken) + len(left) == len(slice_of)
    sums: dict[bytes, list[int]] = {}
    rows = []
    for record in taken:
        headers = dict(record.headers)
        adds = headers.get(contribution.HEADER) or b""
        rows.append((record.key, *(published_head(record.value, headers[HEADER], headers[ORDER], adds) or ())))
        if adds:
            part = checked(adds)
            assert part is not None
            sums[part.cell] = [a + b for a, b in zip(sums.get(part.cell, [0] * 99), part.numbers, strict=False)]
    assert fresh.rows == rows
    assert {part.cell: part.numbers for part in fresh.sums} == sums


def record_of(adds: bytes, key: bytes = b"D1:A") -> SimpleNamespace:
    """A record with this contribution."""
    value, layout = finish(b'{"vin":"X"', b"[]", "b", canonical_end=10, updated_at_ms=1, digest=bytes(16))
    headers = [(ORDER, OrderKey("id", 1, "b").encode()), (HEADER, layout), (contribution.HEADER, adds)]
    return SimpleNamespace(key=key, value=value, headers=headers)


@pytest.mark.parametrize(
    "adds",
    [
        *(
            b"[[%b],[],[]]" % numbers
            for numbers in (b"true", b"1.0", b"null", b"01", b"-0", b"1,", b"", b"9" * 19, b"1")
        ),
        *(b"[[1]x[],[]]", b"[[1],[],[]", b"[[1]", b"[", b"[1]", ADDED[0].replace(b",", b",1,", 1)),
    ],
)
def test_a_record_with_a_contribution_that_is_none_is_left(adds: bytes) -> None:
    record = record_of(adds)
    fresh, others = filling.Filling().take_apart([record])
    assert (fresh.rows, fresh.sums, others) == ([], [], [record])


def test_sums_beyond_64_bits_are_right_too() -> None:
    most = 10**18 - 1
    adds = ADDED[0].replace(b"[[1,", b"[[%d," % most, 1)
    rows, sums, others = COMPILED(
        [record_of(adds, b"D1:%d" % number) for number in range(12)], bytearray(1 << 16), *NAMES
    )
    assert len(rows) + len(others) == 12
    assert [numbers[0] for numbers in sums.values()] == [len(rows) * most]


@pytest.mark.parametrize(
    "broken", [{"value": "text"}, {"headers": 5}, {"headers": [5]}, {"headers": [(ORDER, "a/1/b")]}]
)
def test_what_is_no_record_is_refused(broken: dict[str, Any]) -> None:
    record = record_of(ADDED[0])
    if type(broken.get("headers")) is list:
        broken = {"headers": [*record.headers, *broken["headers"]]}
    with pytest.raises(TypeError):
        COMPILED([SimpleNamespace(**(vars(record) | broken))], bytearray(8), *NAMES)
