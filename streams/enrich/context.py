"""What an enrichment rests on besides the record: reference data and the policy book, with the memory of what follows
from them."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, Final, Generic, TypeVar

if TYPE_CHECKING:
    from streams.policy.book import Book
    from streams.reference import Reference

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

MEMO_ENTRIES: Final = 32_768
"""Most entries of one memory. A lot has a few thousand VIN patterns and some hundred part families; a vehicle pattern
takes about 3 KB over all memories."""


class Memo(dict[K, V], Generic[K, V]):
    """A bounded dictionary: when full, it drops its oldest half and goes on.

    Only results that follow from the key, the reference data and the book belong here, so dropping one costs time and
    never changes an answer.
    """

    def __init__(self, entries: int = MEMO_ENTRIES) -> None:
        super().__init__()
        self._entries = entries

    def keep(self, key: K, value: V) -> V:
        """Store `value` and give it back."""
        if len(self) >= self._entries:
            for old in list(self)[: self._entries // 2]:
                del self[old]
        self[key] = value
        return value


class Context:
    """Reference data and book, and one `Memo` for each function that keeps its results.

    A context belongs to one book. It has no clock; the day in force is `book.day`.
    """

    __slots__ = ("_book_text", "_lasting", "_memos", "behind", "book", "reference")

    def __init__(self, reference: Reference, book: Book) -> None:
        self.reference = reference
        self.book = book
        self.behind: frozenset[str] = frozenset()
        """For groups: the input partitions, `topic/partition`, whose records are not all right under the book yet."""
        self._book_text: str | None = None
        self._memos: dict[str, Memo[Hashable, object]] = {}
        self._lasting: dict[str, Memo[Hashable, object]] = {}

    @property
    def book_text(self) -> str:
        """The book's number as outputs show it."""
        if self._book_text is None:
            self._book_text = str(self.book.number)
        return self._book_text

    def under(self, book: Book) -> Context:
        """A context of the same reference data under another book, with what doesn't depend on the book kept."""
        context = Context(self.reference, book)
        context._lasting = self._lasting
        return context

    def waiting_for(self, behind: frozenset[str]) -> Context:
        """The same context, sharing every memory, with other partitions behind."""
        context = Context(self.reference, self.book)
        context._lasting, context._memos, context._book_text = self._lasting, self._memos, self._book_text
        context.behind = behind
        return context

    def memo(self, name: str) -> Memo[Hashable, object]:
        """The memory called `name` of what follows from reference data and book, made at the first call."""
        found = self._memos.get(name)
        if found is None:
            found = self._memos[name] = Memo()
        return found

    def lasting(self, name: str) -> Memo[Hashable, object]:
        """The memory called `name` of what follows from the reference data alone."""
        found = self._lasting.get(name)
        if found is None:
            found = self._lasting[name] = Memo()
        return found
