"""Only the app and the commands load the reference; the pure core is handed it."""

from __future__ import annotations

import ast

from tests.contract.frame.generated import ROOT

MAY_LOAD = ("streams/app.py", "streams/cli/", "streams/reference/")
CLOCKS = {("datetime", "now"), ("datetime", "utcnow"), ("datetime", "today"), ("date", "today")}


def test_only_app_and_cli_load_the_reference() -> None:
    for path in sorted((ROOT / "streams").rglob("*.py")):
        name = str(path.relative_to(ROOT))
        if name.startswith(MAY_LOAD):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module == "streams.reference":
                assert "load" not in {alias.name for alias in node.names}, f"{name}:{node.lineno}"
            if isinstance(node, ast.Attribute) and node.attr == "load":
                owner = node.value
                assert not (isinstance(owner, ast.Name) and owner.id == "reference"), f"{name}:{node.lineno}"


def test_the_core_reads_no_clock() -> None:
    for package in ("enrich", "policy"):
        for path in sorted((ROOT / "streams" / package).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                    where = f"{path.relative_to(ROOT)}:{node.lineno}"
                    assert (node.value.id, node.attr) not in CLOCKS, f"{where} reads the clock"
