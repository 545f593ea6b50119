"""The dashboards: current, complete, and every panel shows something on real workers, trouble too after failures."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.grafana import generate, panels
from deploy.grafana.generate import ROOT
from streams.metrics import CATALOGUE, LAG_CATALOGUE
from tests.deploy.prometheus.live import Tried
from tests.deploy.prometheus.test_generated import RECORDED, names_in

PANELS = [
    pytest.param(board, panel, id=f"{board.uid}: {panel.title}")
    for board in panels.DASHBOARDS
    for panel in board.panels
]
QUERIES = [query.expr for board in panels.DASHBOARDS for panel in board.panels for query in panel.queries]
DRAWN = ROOT / "build" / "deploy" / "dashboards.json"
"""What `make pictures` draws."""
POINTS = 240
UNITS = {"cps", "short", "s", "bytes", "percentunit", "d", "bool_yes_no", "currencyUSD", "massg"}


def as_grafana_would(expression: str) -> str:
    """An expression with the variables filled in: all topics, and the rate interval of a short look."""
    return expression.replace("$topic", ".*").replace("$__rate_interval", "10s")


@pytest.mark.parametrize("path", generate.files(), ids=lambda path: path.name)
def test_a_committed_dashboard_is_current(path: Path) -> None:
    assert path.read_text("utf-8") == generate.files()[path], f"{path} is not current: run `make docs`"


def test_the_sdk_makes_the_same_twice() -> None:
    assert generate.files() == generate.files()


@pytest.mark.parametrize("board", panels.DASHBOARDS, ids=lambda board: board.uid)
def test_every_panel_has_a_unit_a_description_and_the_datasource_of_the_variable(board: panels.Dashboard) -> None:
    made: dict[str, Any] = json.loads((ROOT / f"deploy/grafana/dashboards/{board.uid}.json").read_text("utf-8"))
    assert made["uid"] == board.uid
    assert [one["name"] for one in made["templating"]["list"] if one["type"] == "datasource"] == ["datasource"]
    shown = [panel for panel in made["panels"] if panel["type"] != "row"]
    assert [panel["title"] for panel in shown] == [panel.title for panel in board.panels]
    for panel in shown:
        assert panel["description"].endswith("."), panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"] in UNITS
        assert {one["datasource"]["uid"] for one in (panel, *panel["targets"])} == {"${datasource}"}
        assert all(target["expr"] and target["legendFormat"] for target in panel["targets"])


@pytest.mark.parametrize("board", panels.DASHBOARDS, ids=lambda board: board.uid)
def test_panels_stand_beside_and_below_each_other(board: panels.Dashboard) -> None:
    made: dict[str, Any] = json.loads(generate.build(board))
    taken: set[tuple[int, int]] = set()
    for panel in made["panels"]:
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken, f"{panel['title']} covers another panel"
        assert place["x"] + place["w"] <= 24, f"{panel['title']} is wider than the page"
        taken |= cells


@pytest.mark.parametrize("expression", sorted(set(QUERIES)))
def test_a_query_reads_metrics_that_exist(expression: str) -> None:
    exposed = {metric.name for metric in (*CATALOGUE, *LAG_CATALOGUE)} | RECORDED
    exposed |= {f"{metric.name}_{part}" for metric in CATALOGUE for part in ("bucket", "count") if metric.buckets}
    assert names_in(expression) <= exposed


@pytest.mark.parametrize(("board", "panel"), PANELS)
def test_a_legend_names_labels_that_its_metrics_have(board: panels.Dashboard, panel: panels.Panel) -> None:
    labels = {metric.name: set(metric.labels) for metric in (*CATALOGUE, *LAG_CATALOGUE)}
    for query in panel.queries:
        known = {"instance", "severity", "topic"}.union(*(labels.get(name, set()) for name in names_in(query.expr)))
        assert set(re.findall(r"\{\{(\w+)\}\}", query.legend)) <= known, query


def test_the_provisioning_files_lead_to_prometheus_and_to_the_dashboards() -> None:
    here = ROOT / "deploy" / "grafana" / "provisioning"
    datasource = yaml.safe_load((here / "datasources.yml").read_text("utf-8"))["datasources"][0]
    assert (datasource["type"], datasource["url"]) == ("prometheus", "http://prometheus:9090")
    provider = yaml.safe_load((here / "dashboards.yml").read_text("utf-8"))["providers"][0]
    assert provider["type"] == "file"
    assert re.fullmatch(r"/[a-z/]+", provider["options"]["path"])


@pytest.mark.parametrize(("board", "panel"), PANELS)
def test_every_query_of_a_panel_has_data(board: panels.Dashboard, panel: panels.Panel, tried: Tried) -> None:
    for query in panel.queries:
        found = series_of(query, tried)
        assert found, f"nothing in the whole run: {query.expr}"
        assert any(values for _, values in found)


@pytest.mark.parametrize(("board", "panel"), [one for one in PANELS if one.values[1].trouble])
def test_after_failures_a_panel_of_trouble_is_not_all_zero(
    board: panels.Dashboard, panel: panels.Panel, tried: Tried
) -> None:
    values = [value for query in panel.queries for _, points in series_of(query, tried) for _, value in points]
    assert max(values) > 0, f"{panel.title} has shown no trouble"


@pytest.mark.parametrize(("board", "panel"), [one for one in PANELS if one.values[1].unit in {"currencyUSD", "massg"}])
def test_dollars_and_grams_of_the_lot_are_not_all_zero(
    board: panels.Dashboard, panel: panels.Panel, tried: Tried
) -> None:
    for query in panel.queries:
        assert max(value for _, points in series_of(query, tried) for _, value in points) > 0, query.expr


def series_of(query: panels.Query, tried: Tried) -> list[tuple[str, list[tuple[float, float]]]]:
    """Legend and points (seconds, value) of a query over the run."""
    return [
        (legend_of(query.legend, labels), points)
        for labels, points in tried.series(as_grafana_would(query.expr), POINTS)
    ]


def legend_of(template: str, labels: Mapping[str, str]) -> str:
    return re.sub(r"\{\{(\w+)\}\}", lambda name: labels.get(name[1], ""), template)


def test_what_the_panels_show_can_be_drawn(tried: Tried) -> None:
    document = [
        {
            "uid": board.uid,
            "title": board.title,
            "rows": [
                {
                    "title": row.title,
                    "panels": [
                        {
                            "title": panel.title,
                            "unit": panel.unit,
                            "kind": panel.kind,
                            "width": panel.width,
                            "series": [one for query in panel.queries for one in series_of(query, tried)],
                        }
                        for panel in row.panels
                    ],
                }
                for row in board.rows
            ],
        }
        for board in panels.DASHBOARDS
    ]
    DRAWN.parent.mkdir(parents=True, exist_ok=True)
    DRAWN.write_text(json.dumps(document), "utf-8")
    assert json.loads(DRAWN.read_text("utf-8"))
