"""What a person typed wrong is told in one line on stderr, with what to write, and nothing on stdout."""

from __future__ import annotations

import pytest
import typer
from typer.testing import CliRunner

from streams.cli import estimate, explain, policy, whatif

APP = typer.Typer()
for group in (estimate, explain, policy, whatif):
    group.register(APP)

VIN = "3VWEW7BU9TM339447"

WRONG = {
    f"explain {VIN} --msrp abc": (1, 'write dollars as text, 0 or more, with two decimals at most, like "38990.00"'),
    "explain 1234": (1, "a VIN has 17"),
    f"explain {VIN} --on 1990-01-01": (2, "--on: 1990-01-01 is outside the book, which covers 2018-01-01 to"),
    f"explain {VIN} --country-of-assembly ZZ": (2, "'ZZ' is not a country; write its ISO code"),
    "explain --part X --origin Narnia": (2, "'Narnia' is not a country; write its ISO code"),
    "explain --part X --hts 1": (1, "write 4, 6, 8 or 10 digits"),
    "explain --part X --part-family traction_rotr": (2, "no family 'traction_rotr'; near: traction_rotor"),
    "policy list --on x": (2, "--on: 'x' is not a date; write YYYY-MM-DD"),
    "policy list --known-at 10/01/2026": (2, "--known-at: '10/01/2026' is not a date; write YYYY-MM-DD"),
    "policy withdraw CN-100 --on x": (2, "--on: 'x' is not a date; write YYYY-MM-DD"),
    "policy timeline 8703.23 CN --files --svg /no/such/folder/a.svg": (
        1,
        "a.svg: can't be written: No such file or dir",
    ),
    "whatif docs/none.toml": (1, "none.toml: No such file or directory"),
    "whatif docs/none.toml --on 1990-01-01": (2, "--on: 1990-01-01 is outside the book"),
    "estimate --csv docs/none.csv": (1, "none.csv: can't be read: No such file or directory"),
}


@pytest.mark.parametrize("command", WRONG)
def test_one_line_says_what_is_wrong(command: str) -> None:
    status, said = WRONG[command]
    done = CliRunner().invoke(APP, command.split())
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    assert (done.exit_code, done.stdout) == (status, "")
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("country", ["Mexico", "MEX", "MX"])
def test_a_country_may_be_a_name(country: str) -> None:
    done = CliRunner().invoke(APP, ["explain", VIN, "--country-of-assembly", country, "--on", "2026-10-01"])
    assert done.exit_code == 0
    assert "MX" in done.stdout
