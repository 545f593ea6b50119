"""Grafana's dashboards for lotrisk, as code: `panels` says what is shown, `generate` writes the JSON."""
