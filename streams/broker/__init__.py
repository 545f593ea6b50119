"""Embedded Apache Kafka for tests, the demo and development."""
