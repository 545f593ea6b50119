"""The configuration of Prometheus and of Alertmanager."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from deploy.prometheus.rules import EXPORTER, WORKERS, Pace, duration

Targets = Mapping[str, Sequence[str]]

COMPOSE: Targets = {WORKERS: ["worker:6066"], EXPORTER: ["lag:6067"]}
"""Where the services of the compose file are; a name with several containers is looked up in the DNS."""


def prometheus(
    pace: Pace, *, targets: Targets | None = None, rules: str = "rules.yml", alertmanager: str = "alertmanager:9093"
) -> dict[str, object]:
    """Prometheus' configuration: fixed `targets` (host:port by job), else the compose file's names, by DNS."""
    if targets is not None:
        jobs = [
            {"job_name": job, "static_configs": [{"targets": list(addresses)}]} for job, addresses in targets.items()
        ]
    else:
        jobs = [
            {
                "job_name": job,
                "dns_sd_configs": [
                    {"names": [name], "type": "A", "port": int(port), "refresh_interval": "15s"}
                    for name, _, port in (address.partition(":") for address in addresses)
                ],
            }
            for job, addresses in COMPOSE.items()
        ]
    every = duration(pace.scrape_seconds)
    return {
        "global": {"scrape_interval": every, "scrape_timeout": duration(min(10.0, pace.scrape_seconds)),
                   "evaluation_interval": every},
        "rule_files": [rules],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [alertmanager]}]}]},
        "scrape_configs": jobs,
    }  # fmt: skip


INHIBITIONS: tuple[tuple[str, Sequence[str], Sequence[str]], ...] = (
    ("LotriskLanePaused", ("LotriskNoProgress",), ("topic", "partition")),
    ("LotriskNoWorkers", ("LotriskNoProgress", "LotriskWorkerDown"), ()),
    ("LotriskBrokersUnreachable", ("LotriskNoProgress", "LotriskLagGrowing"), ()),
)
"""An alert that explains others, those, and the labels they share: one page for one cause."""


def alertmanager(pace: Pace, webhook: str = "http://localhost:8080/alerts") -> dict[str, object]:
    """Alertmanager's configuration: everything to one webhook, pages sooner and more often than tickets."""

    def hold(seconds: float) -> str:
        return duration(max(0.1, pace.seconds(seconds)))

    return {
        "route": {
            "receiver": "webhook",
            "group_by": ["alertname", "topic"],
            "group_wait": hold(30),
            "group_interval": hold(300),
            "repeat_interval": "12h",
            "routes": [
                {
                    "matchers": ['severity="page"'],
                    "receiver": "webhook",
                    "group_wait": hold(10),
                    "group_interval": hold(60),
                    "repeat_interval": "1h",
                }
            ],
        },
        "receivers": [{"name": "webhook", "webhook_configs": [{"url": webhook, "send_resolved": True}]}],
        "inhibit_rules": [
            {
                "source_matchers": [f'alertname="{source}"'],
                "target_matchers": [f'alertname=~"{"|".join(inhibited)}"'],
                **({"equal": list(equal)} if equal else {}),
            }
            for source, inhibited, equal in INHIBITIONS
        ],
    }
