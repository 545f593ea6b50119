"""RocksDB as the state uses it: what it may take of memory, files and disk. Only here are its options known."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, cast

from rocksdict import (
    BlockBasedOptions,
    Cache,
    DBCompressionType,
    Options,
    Rdict,
    WriteBatch,
    WriteBufferManager,
    WriteOptions,
)

from streams.state.errors import StateDamagedError, is_rocksdb, translate

log = logging.getLogger(__name__)

HEADS: Final = "heads"
CANONICAL: Final = "canonical"

_MIB: Final = 1024 * 1024
_CACHE_BYTES: Final = 64 * _MIB
"""Of all partitions together, with the write buffers, which count as part of it."""
_WRITE_BUFFERS_BYTES: Final = 32 * _MIB
_FILLING_BUFFERS_BYTES: Final = 128 * _MIB
"""Meanwhile some partitions are filled from nothing: few large files need no merging."""
_WRITE_BUFFER_BYTES: Final = 24 * _MIB
"""Most of one column family's; as a rule the log or all buffers together are full before."""
_LOG_BYTES: Final = 16 * _MIB
"""Most of one partition's write-ahead log, which a worker that was killed reads again when it opens the state."""
_OPEN_FILES: Final = 64
_FRESH_FILES: Final = 8
"""Files as they were flushed, before they are merged into the sorted ones: with RocksDB's own 4 a restore writes twice
as much. A look-up asks the filter of each."""
_BLOCK_BYTES: Final = 16 * 1024
_BLOOM_BITS: Final = 10
_BLOOM_SHARE: Final = 0.005
"""Of a write buffer, for a filter of what is in it: 120 KB."""
_REBUILD: Final = "REBUILD"
_UNLOGGED: Final = WriteOptions()
_UNLOGGED.disable_wal = True  # type: ignore[method-assign, assignment]  # a property, which its stubs take for a method


class Memory:
    """What all partitions of a worker share: a block cache that the write buffers are part of."""

    def __init__(self) -> None:
        self._cache = Cache(_CACHE_BYTES)
        self._buffers = WriteBufferManager.new_write_buffer_manager_with_cache(_WRITE_BUFFERS_BYTES, False, self._cache)

    @contextmanager
    def filling(self) -> Iterator[None]:
        """More room for write buffers, while new states are filled."""
        self._buffers.set_buffer_size(_FILLING_BUFFERS_BYTES)
        try:
            yield
        finally:
            self._buffers.set_buffer_size(_WRITE_BUFFERS_BYTES)

    def options(self) -> Options:
        """Options of a database or of one of its column families."""
        options = Options(raw_mode=True)
        options.create_if_missing(True)
        options.create_missing_column_families(True)
        options.set_write_buffer_manager(self._buffers)
        options.set_write_buffer_size(_WRITE_BUFFER_BYTES)
        options.set_max_total_wal_size(_LOG_BYTES)
        options.set_level_zero_file_num_compaction_trigger(_FRESH_FILES)
        options.set_max_open_files(_OPEN_FILES)
        options.set_keep_log_file_num(2)
        options.set_max_log_file_size(_MIB)
        options.set_compression_type(DBCompressionType.lz4())
        options.set_bottommost_compression_type(DBCompressionType.zstd())
        table = BlockBasedOptions()
        table.set_block_cache(self._cache)
        table.set_block_size(_BLOCK_BYTES)
        table.set_bloom_filter(_BLOOM_BITS, False)
        table.set_cache_index_and_filter_blocks(True)
        table.set_pin_l0_filter_and_index_blocks_in_cache(True)
        options.set_block_based_table_factory(table)
        return options


class Database:
    """One open database: meta data in the default column family, heads and canonical records in their own."""

    def __init__(self, directory: Path, memory: Memory) -> None:
        """Open it, making what is missing.

        Raises:
            StateLockedError, StateUnusableError: see there.
            StateDamagedError: also where an earlier process found damage and left its mark.
        """
        self.directory = directory
        try:
            directory.mkdir(parents=True, exist_ok=True)
            if (directory / _REBUILD).exists():
                raise StateDamagedError(f"state directory {directory} was found damaged while it was in use")
            families = {name: memory.options() for name in (HEADS, CANONICAL)}
            # Looked up for every record, and of a new key there is none.
            families[HEADS].set_memtable_whole_key_filtering(True)
            families[HEADS].set_memtable_prefix_bloom_ratio(_BLOOM_SHARE)
            self.meta = Rdict(str(directory), memory.options(), column_families=families)
        except Exception as error:
            if not is_rocksdb(error) and not isinstance(error, OSError):
                raise
            raise translate(error, directory) from error
        self.heads = self.meta.get_column_family(HEADS)
        self.canonical = self.meta.get_column_family(CANONICAL)
        self.in_heads = self.meta.get_column_family_handle(HEADS)
        self.in_canonical = self.meta.get_column_family_handle(CANONICAL)

    @property
    def is_new(self) -> bool:
        """Whether nothing was ever written."""
        return self.meta.latest_sequence_number() == 0

    def close(self) -> None:
        """Close it; what is in memory is in the write-ahead log."""
        # Each handle keeps the files and their lock, whoever still refers to this object.
        handles = (self.heads, self.canonical, self.meta)
        del self.in_heads, self.in_canonical, self.heads, self.canonical, self.meta
        for handle in handles:
            try:
                handle.close()
            except Exception as error:
                if not is_rocksdb(error):
                    raise
                log.warning("%s", translate(error, self.directory))

    def find(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """The heads of these keys, looked up together."""
        # In raw mode they are bytes, which rocksdict's types don't know.
        return cast("list[bytes | None]", self.heads.get(list(keys)))

    def write(self, batch: WriteBatch, *, logged: bool = True) -> None:
        """All of the batch or nothing; what isn't logged is there after a crash only if `flush` came before."""
        self.meta.write(batch, None if logged else _UNLOGGED)

    def flush(self) -> None:
        """Bring into files what is in memory."""
        for family in (self.heads, self.canonical, self.meta):
            family.flush()

    def disk_bytes(self) -> int:
        """Bytes of all its files."""
        return sum(file.stat().st_size for file in self.directory.iterdir() if file.is_file())


def pairs(family: Rdict, first: bytes | None) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values of a family in key order, from the key `first` on, itself included; None: from the beginning."""
    last = first
    # In raw mode both are bytes, which rocksdict's types don't know.
    for pair in cast("Iterator[tuple[bytes, bytes]]", family.items(from_key=first)):
        yield pair
        last = pair[0]
    # items() ends without a word at a damaged block: look whether there is really no more.
    rest = family.iter()
    if last is None:
        rest.seek_to_first()
    else:
        rest.seek(last)
        if rest.valid() and rest.key() == last:
            rest.next()
    rest.status()
    if rest.valid():
        raise StateDamagedError(f"state directory {family.path()}: the records after {last!r} can't be read")


def mark_damaged(directory: Path) -> None:
    """Have the next process build this state anew; best effort, for without the mark it meets the damage again."""
    try:
        (directory / _REBUILD).touch()
    except OSError:
        return


def throw_away(directory: Path) -> None:
    """Remove the database in `directory`.

    Raises:
        StateUnusableError: it can't be removed.
    """
    try:
        shutil.rmtree(directory)
    except FileNotFoundError:
        return
    except OSError as error:
        raise translate(error, directory) from error
