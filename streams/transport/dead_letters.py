"""Dead letters as they stand on their topic, and which of them may be put back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
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


async def read_dead_letters(settings: Settings, topic: str) -> list[DeadLetter]:
    """Every dead letter on `topic` (full name), by partition and offset.

    Raises:
        TopicMissingError: no such topic.
        ValueError: a record without lotrisk's headers; somebody else writes there.
    """
    letters = []
    async for record in read_to_end(settings, topic):
        headers, error = split_headers(record.headers)
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

    `letters` stand in the order of their topic; `latest` has the last offset of each input topic and key.
    """
    left: Counter[str] = Counter()
    newest: dict[tuple[str, bytes | None, int, int], DeadLetter] = {}
    for letter in letters:
        if max_replays is not None and letter.attempts >= max_replays:
            left[f"replayed {max_replays} times already (--again puts them back all the same)"] += 1
            continue
        # Letters without a key have nothing in common: each is its own.
        own = (-1, -1) if letter.key is not None else (letter.partition, letter.offset)
        identity = (letter.error.topic, letter.key, *own)
        if identity in newest:
            left["a newer dead letter has the same key"] += 1
        newest[identity] = letter
    chosen = []
    for letter in newest.values():
        on_topic = latest.get((letter.error.topic, letter.key)) if letter.key is not None else None
        if on_topic is not None and on_topic > int(letter.error.offset):
            left["a newer record with the same key is on the input topic"] += 1
        else:
            chosen.append(letter)
    return chosen, dict(left)
