import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from distillnerf_core.voxels import pairs
from distillnerf_core.voxels.pairs import build_pairs

INPUTS = 9
tables = st.lists(st.lists(st.integers(0, INPUTS), min_size=27, max_size=27), max_size=12)


@given(tables)
def test_lists_hold_every_existing_entry_once(rows: list[list[int]]) -> None:
    indices = torch.tensor(rows, dtype=torch.int32).view(-1, 27)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(pairs._BLOCK_ROWS, "cpu", 5)
        blocks = build_pairs(indices, INPUTS)
    assert [block.begin for block in blocks] == list(range(0, len(rows), 5))
    found = []
    for block in blocks:
        offsets = torch.arange(27).repeat_interleave(torch.tensor(block.counts))
        entries = torch.stack((block.outputs + block.begin, offsets, block.inputs), dim=1)
        found += entries[block.order].tolist()
        sizes = block.output_offsets.diff()
        assert torch.equal(
            block.outputs[block.order], torch.arange(block.end - block.begin).repeat_interleave(sizes).int()
        )
    expected = [[row, k, value] for row, line in enumerate(rows) for k, value in enumerate(line) if value < INPUTS]
    assert found == expected
