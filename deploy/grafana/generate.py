"""The dashboards' JSON, by Grafana's own SDK; `make docs` writes it, a test holds it current."""

from __future__ import annotations

from pathlib import Path

from grafana_foundation_sdk.builders import dashboard, prometheus, stat, table, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import DataSourceRef, VariableRefresh

from deploy.grafana.panels import DASHBOARDS, Dashboard, Kind, Panel
from streams.metrics import RECORDS_IN

ROOT = Path(__file__).resolve().parents[2]
HERE = ROOT / "deploy" / "grafana"
DATASOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
HEIGHT = 8

Builder = timeseries.Panel | stat.Panel | table.Panel


def _new(kind: Kind) -> Builder:
    if kind == "stat":
        return stat.Panel()
    return table.Panel() if kind == "table" else timeseries.Panel()


def _panel(panel: Panel) -> Builder:
    made = (
        _new(panel.kind)
        .title(panel.title)
        .description(panel.description)
        .unit(panel.unit)
        .datasource(DATASOURCE)
        .span(panel.width)
        .height(HEIGHT)
    )
    for number, query in enumerate(panel.queries):
        target = prometheus.Dataquery().ref_id(chr(ord("A") + number)).datasource(DATASOURCE)
        target = target.expr(query.expr).legend_format(query.legend)
        made.with_target(target.range() if panel.kind == "timeseries" else target.instant())
    return made


def build(board: Dashboard) -> str:
    """The JSON of one dashboard."""
    made = (
        dashboard.Dashboard(board.title)
        .uid(board.uid)
        .description(board.description)
        .tags(["lotrisk"])
        .timezone("utc")
        .time("now-6h", "now")
        .refresh("30s")
        .readonly()
        .with_variable(dashboard.DatasourceVariable("datasource").label("Prometheus").type("prometheus"))
        .with_variable(
            dashboard.QueryVariable("topic")
            .label("Topic")
            .datasource(DATASOURCE)
            .query(f"label_values({RECORDS_IN.name}, topic)")
            .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
            .multi(True)
            .include_all(True)
            .all_value(".*")
        )
    )
    for row in board.rows:
        made.with_row(dashboard.Row(row.title))
        for panel in row.panels:
            made.with_panel(_panel(panel))
    return JSONEncoder(sort_keys=True, indent=2).encode(made.build()) + "\n"


def files() -> dict[Path, str]:
    """Path and content of every dashboard."""
    return {HERE / "dashboards" / f"{board.uid}.json": build(board) for board in DASHBOARDS}


if __name__ == "__main__":
    for path, content in files().items():
        path.write_text(content, encoding="utf-8")
        print(f"{path.relative_to(ROOT)}: written")
