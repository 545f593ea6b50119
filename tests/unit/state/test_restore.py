"""What a restore asks of the brokers before it begins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import pytest
from kafka import KafkaAdminClient

from streams.state.errors import StateError
from streams.state.restore import describe


class Admin:
    """Answers as the client does."""

    def __init__(self, topics: list[dict[str, Any]], configs: Mapping[str, Any]) -> None:
        self.topics = topics
        self.configs = configs

    def describe_topics(self, _: object) -> list[dict[str, Any]]:
        """Each topic, with an error code where there is none."""
        return self.topics

    def describe_configs(self, _: object, *, config_filter: str) -> Mapping[str, Any]:
        """Each topic's configuration, empty where it was refused."""
        assert config_filter == "all"
        return self.configs


def asked(topics: list[dict[str, Any]], configs: Mapping[str, Any]) -> dict[str, tuple[str, int]]:
    return describe(cast(KafkaAdminClient, Admin(topics, configs)), ["a", "b"])


BOTH = [{"name": "a", "topic_id": "A1", "error_code": 0}, {"name": "b", "topic_id": "B1", "error_code": 0}]
RETENTION = {"delete.retention.ms": {"value": "86400000"}}


def test_topic_ids_and_retention_are_told() -> None:
    found = asked(BOTH, {"topic": {"a": RETENTION, "b": {"delete.retention.ms": {"value": "60000"}}}})
    assert found == {"a": ("A1", 86_400_000), "b": ("B1", 60_000)}


@pytest.mark.parametrize("configs", [{"topic": {"a": RETENTION, "b": {}}}, {"topic": {"a": RETENTION}}])
def test_a_refused_configuration_says_which_right_is_missing(configs: Mapping[str, Any]) -> None:
    with pytest.raises(StateError, match=r"delete.retention.ms of b can't be read.* DescribeConfigs"):
        asked(BOTH, configs)
    with pytest.raises(StateError, match="of a, b can't be read"):
        asked(BOTH, {})


def test_a_topic_that_is_not_there_or_not_seen_says_what_to_do() -> None:
    unseen = [BOTH[0], {"name": "b", "error_code": 29}]
    with pytest.raises(StateError, match=r"may not see them: b. Run `lotrisk topics apply`"):
        asked(unseen, {})
