"""Dead letters as they stand on their topic, and which of them may be put back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from schemas.dead_letter import DeadLetterHeaders, replay_attempts, split_headers
from streams.settings import Settings
from streams.transport.batch import Headers
from streams.transport.reading import read_to_end


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One record of a dead-letter topic: the original's bytes and headers, and what lotrisk says of it."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    error: DeadLetterHeaders

    @property
    def attempts(self) -> int:
        """How often it was replayed."""
        return replay_attempts(self.headers)


async def read_dead_letters(
    settings: Settings, topic: str, foreign: Callable[[str], None] = lambda _: None
) -> list[DeadLetter]:
    """Every dead letter on `topic` (full name), by partition and offset.

    A record without lotrisk's headers, which somebody else wrote, is told to `foreign` and left out.

    Raises:
        TopicMissingError: no such topic.
    """
    letters = []
    async for record in read_to_end(settings, topic):
        try:
            headers, error = split_headers(record.headers)
        except ValueError as problem:
            foreign(f"{topic}[{record.partition}] offset {record.offset} is not lotrisk's, left out: {problem}")
            continue
        letters.append(DeadLetter(record.partition, record.offset, record.key, record.value, headers, error))
    return sorted(letters, key=lambda letter: (letter.partition, letter.offset))


async def choose_for_replay(
    settings: Settings, letters: Sequence[DeadLetter], max_replays: int | None
) -> tuple[list[DeadLetter], dict[str, int]]:
    """The letters to put back, and how many are left where they are, by why; reads their input topics to the end.

    `max_replays` None puts back whatever was replayed before, too.
    """
    latest: dict[tuple[str, bytes], int] = {}
    for topic in {letter.error.topic for letter in letters}:
        async for record in read_to_end(settings, topic):
            if record.key is not None:
                latest[topic, record.key] = record.offset
    return choose(letters, latest, max_replays)


def choose(
    letters: Sequence[DeadLetter], latest: Mapping[tuple[str, bytes], int], max_replays: int | None
) -> tuple[list[DeadLetter], dict[str, int]]:
    """Of each key the newest letter, if nothing newer is on its input topic; the rest is counted by why it stays.

    A letter without a key stays: a compacted topic refuses it, and nobody knows whose it is.
    `letters` stand in the order of their topic; `latest` has the last offset of each input topic and key.
    """
    left: Counter[str] = Counter()
    newest: dict[tuple[str, bytes], DeadLetter] = {}
    for letter in letters:
        if max_replays is not None and letter.attempts >= max_replays:
            left[f"replayed {max_replays} times already (--again puts them back all the same)"] += 1
            continue
        if letter.key is None:
            left["without a key, which their input topic doesn't take: send them from their source with one"] += 1
            continue
        identity = (letter.error.topic, letter.key)
        if identity in newest:
            left["a newer dead letter has the same key"] += 1
        newest[identity] = letter
    chosen = []
    for (topic, key), letter in newest.items():
        on_topic = latest.get((topic, key))
        if on_topic is not None and on_topic > int(letter.error.offset):
            left["a newer record with the same key is on the input topic"] += 1
        else:
            chosen.append(letter)
    return chosen, dict(left)
