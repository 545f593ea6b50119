"""What a worker checks before it joins the group: the topics it reads and writes exist and fit together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from kafka import KafkaAdminClient

from streams.connection import kafka_python_options
from streams.settings import Settings
from streams.transport.pipeline import Pipeline


class TopicsNotReadyError(RuntimeError):
    """Topics are missing or don't fit; the message says which and what to do."""


@dataclass(frozen=True, slots=True)
class FoundTopics:
    """Ids and partition counts by full topic name."""

    topic_ids: Mapping[str, str]
    partition_counts: Mapping[str, int]


def inspect_topics(settings: Settings, pipelines: Iterable[Pipeline]) -> FoundTopics:
    """Look the topics of `pipelines` up on the cluster.

    Raises:
        TopicsNotReadyError: one is missing, or an output has another number of partitions than its input.
    """
    admin = KafkaAdminClient(**kafka_python_options(settings))
    try:
        described = {topic["name"]: topic for topic in admin.describe_topics()}
    finally:
        admin.close()
    problems = []
    ids: dict[str, str] = {}
    counts: dict[str, int] = {}
    for pipeline in pipelines:
        source = pipeline.source.full_name(settings.topic_prefix)
        for topic in (pipeline.source, *pipeline.outputs):
            name = topic.full_name(settings.topic_prefix)
            if name not in described:
                problems.append(f"{name} does not exist")
                continue
            ids[name] = str(described[name]["topic_id"])
            counts[name] = len(described[name]["partitions"])
        if source in counts:
            problems += [
                f"{name} has {counts[name]} partitions, its input {source} has {counts[source]}"
                for topic in pipeline.outputs
                if (name := topic.full_name(settings.topic_prefix)) in counts and counts[name] != counts[source]
            ]
    if problems:
        raise TopicsNotReadyError("topics are not ready: " + "; ".join(problems) + ". Run `lotrisk topics apply`.")
    return FoundTopics(ids, counts)
