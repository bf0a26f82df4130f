import importlib.util
import sqlite3
import struct
import sys
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lz4.frame  # type: ignore[import-untyped]
import numpy as np
import pytest
from backports import zstd

from distillnerf_core.errors import BagError
from distillnerf_core.streams.bag_limits import index_is_sound
from distillnerf_core.streams.bag_reader import BagReader
from distillnerf_core.streams.bag_writer import BagWriter
from distillnerf_core.streams.chunk_compression import MAX_CHUNK_BYTES, DamagedChunkError, declares_its_size, unpack
from distillnerf_core.streams.mcap_check import mcap_is_sound
from distillnerf_core.streams.mcap_scan import McapScanner


def _builder() -> Any:
    spec = importlib.util.spec_from_file_location("mcap_bytes", Path(__file__).with_name("mcap_bytes.py"))
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules["mcap_bytes"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


BYTES = _builder()
Chunk, mcap, message = BYTES.Chunk, BYTES.mcap, BYTES.message
HONEST = Chunk(message(3))
BOMB = bytes(MAX_CHUNK_BYTES + 1)


@contextmanager
def at_most(count: int) -> Iterator[None]:
    """Fails where Python allocates more at a time; memory of C libraries is not counted."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < count
    finally:
        tracemalloc.stop()


def texts(path: Path) -> list[str]:
    with BagReader(path) as bag:
        return [item.message.data for item in bag.messages()]


def written(tmp_path: Path, content: bytes) -> Path:
    path = tmp_path / "bag.mcap"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("compression", ["", "zstd"])
def test_an_honest_file_is_sound_and_read(tmp_path: Path, compression: str) -> None:
    path = written(tmp_path, mcap(Chunk(message(3), compression), Chunk(message(5, "you"), compression, 4, 8)))
    assert mcap_is_sound(path)
    assert texts(path) == ["hello", "you"]
    assert [item[1] for item in McapScanner(path).messages()] == [3, 5]


@pytest.mark.parametrize("name", ["bag.mcap", "bag.db3", "folder"])
@pytest.mark.parametrize("compress", [False, True])
def test_what_we_write_is_sound(tmp_path: Path, name: str, compress: bool) -> None:
    with BagWriter(tmp_path / name, compress=compress) as bag:
        bag.write_image("/camera", 1, "camera", np.zeros((4, 4, 3), np.uint8), "rgb8")
    assert index_is_sound(tmp_path / name)


@pytest.mark.parametrize("length", [2**60, 2**63, 2**64 - 1, 2**40])
@pytest.mark.parametrize("where", ["message", "chunk", "nested"])
def test_lengths_that_lie_are_never_allocated(tmp_path: Path, length: int, where: str) -> None:
    content = {
        "message": mcap(HONEST, loose=message(1, length=length)),
        "chunk": mcap(HONEST, Chunk(message(4), length=length)),
        "nested": mcap(HONEST, Chunk(message(4, length=length))),
    }[where]
    path = written(tmp_path, content)
    assert mcap_is_sound(path) is (where == "nested")
    with at_most(2**22), pytest.raises(BagError, match="cut or damaged"):
        texts(path)


@pytest.mark.parametrize(
    "lie",
    [
        Chunk(message(3), indexed_size=2**50),
        Chunk(message(3), indexed_offset=60),
        Chunk(message(3), size=10),
        Chunk(message(3), "zstd", size=10),
    ],
)
def test_an_index_that_lies_is_not_used(tmp_path: Path, lie: Any) -> None:
    assert not mcap_is_sound(written(tmp_path, mcap(lie)))


def test_a_summary_elsewhere_is_not_used(tmp_path: Path) -> None:
    assert not mcap_is_sound(written(tmp_path, mcap(HONEST, summary_start=30)))


def test_a_chunk_that_unpacks_to_too_much_is_refused(tmp_path: Path) -> None:
    honest = written(tmp_path, mcap(Chunk(BOMB, "zstd")))
    assert honest.stat().st_size < 100_000
    for content in (mcap(Chunk(BOMB, "zstd")), mcap(Chunk(BOMB, "zstd", size=100, indexed_size=100))):
        path = written(tmp_path, content)
        with at_most(2 * MAX_CHUNK_BYTES + 2**24), pytest.raises(BagError, match="limit of 268435456"):
            texts(path)
        with pytest.raises(BagError, match="limit of 268435456"):
            list(McapScanner(path).messages())


def test_compression_is_bounded_whatever_the_frame_says() -> None:
    data = bytes(10_000)
    compressor = zstd.ZstdCompressor()
    streamed = compressor.compress(data) + compressor.flush()
    packed = {"zstd": [zstd.compress(data), streamed], "lz4": [lz4.frame.compress(data)]}
    for compression, blobs in packed.items():
        for blob in blobs:
            assert unpack(compression, blob, "bag") == data
            with pytest.raises(DamagedChunkError):
                unpack(compression, b"nonsense", "bag")
    assert declares_its_size("zstd", zstd.compress(data), 10_000)
    assert not declares_its_size("zstd", zstd.compress(data), 9_999)
    assert not declares_its_size("zstd", zstd.compress(data) * 2, 10_000)
    assert not declares_its_size("zstd", streamed, 10_000) or zstd.get_frame_info(streamed).decompressed_size == 10_000
    assert declares_its_size("lz4", lz4.frame.compress(data), 10_000)
    assert not declares_its_size("lz4", lz4.frame.compress(data, store_size=False), 10_000)
    assert unpack("lz4", lz4.frame.compress(data, store_size=False), "bag") == data
    with pytest.raises(DamagedChunkError, match="bz2"):
        unpack("bz2", data, "bag")


def test_chunks_that_all_overlap_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("distillnerf_core.streams.mcap_check.MAX_OPEN_BYTES", 500)
    later = [Chunk(message(10 * step), first_ns=10 * step, last_ns=10 * step + 9) for step in range(20)]
    assert mcap_is_sound(written(tmp_path, mcap(*later)))
    with pytest.raises(BagError, match="overlap in time"):
        mcap_is_sound(written(tmp_path, mcap(*[HONEST] * 20)))


def test_attachments_of_any_size_are_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("mcap_scan", "mcap_check"):
        monkeypatch.setattr(f"distillnerf_core.streams.{module}.MAX_CHUNK_BYTES", 1000)
    path = written(tmp_path, mcap(HONEST, loose=BYTES.record(0x09, bytes(2000))))
    assert mcap_is_sound(path)
    assert len(list(McapScanner(path).messages())) == 1
    with pytest.raises(BagError, match="a record of 2"):
        list(McapScanner(written(tmp_path, mcap(HONEST, loose=message(2, "x" * 2000)))).messages())


def test_an_empty_file_is_not_sound(tmp_path: Path) -> None:
    assert not mcap_is_sound(written(tmp_path, b""))
    with pytest.raises(BagError, match="no MCAP file"):
        texts(written(tmp_path, b""))


@pytest.mark.parametrize("mode", ["FILE", "message"])
def test_archives_are_not_unpacked(tmp_path: Path, mode: str) -> None:
    folder = tmp_path / "bag"
    with BagWriter(folder) as bag:
        bag.write_image("/camera", 1, "camera", np.zeros((4, 4, 3), np.uint8), "rgb8")
    metadata = folder / "metadata.yaml"
    content = metadata.read_text().replace("compression_mode: ''", f"compression_mode: '{mode}'")
    assert mode in content
    metadata.write_text(content)
    with pytest.raises(BagError, match="ros2 bag convert"):
        BagReader(folder)
    metadata.write_text("x" * (2**24 + 1))
    with pytest.raises(BagError, match="above the limit"):
        BagReader(folder)


@pytest.mark.parametrize(
    "schema",
    [
        "CREATE VIEW messages AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i FROM n) "
        "SELECT 1 AS id, 1 AS topic_id, i AS timestamp, x'00' AS data FROM n",
        "CREATE TABLE messages(id INTEGER PRIMARY KEY, topic_id INTEGER, timestamp INTEGER, "
        "data BLOB AS (zeroblob(900000000)))",
    ],
)
def test_tables_without_end_are_refused(tmp_path: Path, schema: str) -> None:
    path = tmp_path / "bag.db3"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE topics(id INTEGER PRIMARY KEY, name TEXT, type TEXT)")
        connection.execute("INSERT INTO topics VALUES(1, '/camera', 'std_msgs/msg/String')")
        connection.execute(schema)
    for content in (path.read_bytes(), path.read_bytes()[:-100]):
        path.write_bytes(content)
        with pytest.raises(BagError, match="computed"):
            BagReader(path)
    # Even where the first page says that the file is longer than it is.
    blob = bytearray(path.read_bytes())
    blob[28:32] = struct.pack(">I", 2**20)
    path.write_bytes(blob)
    with pytest.raises(BagError):
        texts(path)
