"""The compiled module refuses what it would misread. Only where it is built: Python needs no such care."""

from __future__ import annotations

from typing import Any

import pytest

from streams.transport.records import Records, Stamp, encode_headers, stamp_of
from tests.unit.transport.test_records import template


@pytest.mark.parametrize(
    "wrong",
    [
        ("k", b"v", b"\0", 1), (b"k", bytearray(b"v"), b"\0", 1), (b"k", b"v", None, 1), (b"k", b"v", b"\0", "1"),
        (b"k", b"v", b"\0", 2**63), (b"k", b"v", b"\0"),
    ],
)  # fmt: skip
def test_the_compiled_module_refuses_what_it_would_misread(wrong: tuple[Any, ...]) -> None:
    records = Records(100)
    with pytest.raises((TypeError, OverflowError)):
        records.add(*wrong)
    assert records.count == 0


@pytest.mark.parametrize("wrong", [[("h", "x")], [(b"h", b"x")], [("h",)], ["h"], [["h", b"x"]], 5])
def test_the_compiled_module_refuses_headers_of_another_form(wrong: Any) -> None:
    with pytest.raises(TypeError):
        encode_headers(wrong)


@pytest.mark.parametrize("place", range(13))
def test_the_compiled_module_refuses_a_wrong_part_of_an_enriched_record(place: int) -> None:
    row: list[Any] = [
        stamp_of(template()), b"k", b"{", b"[]", "1.0.-1.2026-09-29", 1, None, bytes(16), 5, 7, 7, None, b"",
    ]  # fmt: skip
    row[place] = 1.5
    records = Records(100)
    with pytest.raises(TypeError):
        records.add_enriched(*row)
    with pytest.raises(TypeError):
        records.add_enriched(*row[1:])
    assert records.count == 0


def test_the_compiled_module_refuses_a_digest_of_another_length_and_a_stamp_that_was_not_made() -> None:
    row = (b"k", b"{", b"[]", "1.0.-1.2026-09-29", 1, None, bytes(15), 5, 7, 7, None, b"")
    with pytest.raises(ValueError, match="16 bytes"):
        Records(100).add_enriched(stamp_of(template()), *row)
    with pytest.raises(TypeError, match="Stamp"):
        Records(100).add_enriched(Stamp.__new__(Stamp), *row)
    with pytest.raises(ValueError, match="names"):
        Stamp(b"", 0, b"", b"", ())
