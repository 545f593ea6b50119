"""What a worker checks before it joins the group: the topics it reads and writes exist and fit together."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kafka import KafkaAdminClient

from streams.connection import kafka_python_options
from streams.settings import Settings
from streams.transport.pipeline import Pipeline
from streams.transport.reading import TopicMissingError, how_to_mend, partitions_of, why_unseen


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
        TopicsNotReadyError: one is missing or can't be seen, or an output has another number of partitions than its
            input.
    """
    pipelines = tuple(pipelines)
    prefix = settings.topic_prefix
    names = {topic.full_name(prefix) for pipeline in pipelines for topic in (pipeline.source, *pipeline.outputs)}
    described = described_topics(settings, sorted(names))
    problems = []
    ids: dict[str, str] = {}
    counts: dict[str, int] = {}
    for pipeline in pipelines:
        source = pipeline.source.full_name(settings.topic_prefix)
        for topic in (pipeline.source, *pipeline.outputs):
            name = topic.full_name(settings.topic_prefix)
            problem = why_unseen(name, described[name]["error_code"])
            if problem is not None:
                problems.append(problem)
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
        problems = list(dict.fromkeys(problems))
        raise TopicsNotReadyError(f"topics are not ready: {'; '.join(problems)}. {how_to_mend(problems)}.")
    return FoundTopics(ids, counts)


def described_topics(settings: Settings, names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """What the brokers say of topics, by full name; each has an `error_code`, also one that isn't there. Makes none."""
    admin = KafkaAdminClient(**kafka_python_options(settings))
    try:
        # By name: of all topics the brokers leave out those that the user may not describe.
        return {topic["name"]: topic for topic in admin.describe_topics(list(names))}
    finally:
        admin.close()


async def check_readable(settings: Settings, topic: str) -> None:
    """Raise where this user may describe a topic (full name) and not read it.

    Reading an empty topic fetches nothing, so no broker refuses it: without this it looks as if nothing stood there.

    Raises:
        TopicMissingError: no such topic, or no right to read it.
    """
    # Asked first: the client that knows of rights tries for half a minute where no broker answers.
    await partitions_of(settings, topic)
    operations = (await asyncio.to_thread(described_topics, settings, [topic]))[topic].get("authorized_operations")
    if operations and "READ" not in operations:
        problem = f"{topic} can't be read by this user: it has no right to read it"
        raise TopicMissingError(f"{problem}. {how_to_mend([problem])}.")
