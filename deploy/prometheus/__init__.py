"""Prometheus and Alertmanager for lotrisk: rules and configuration are made here, from the metric catalogue."""
