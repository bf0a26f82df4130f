import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from torch import Tensor


def test_the_example_of_the_readme_runs(
    golden_dir: Path,
    seeded_tensors: Callable[[str], dict[str, Tensor]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    readme = (Path(__file__).parents[4] / "README.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    state_dict = {key: value for key, value in seeded_tensors("model.").items() if not key.startswith("projector.")}
    monkeypatch.chdir(golden_dir)
    names: dict[str, Any] = {"state_dict": state_dict}
    exec(compile(example, "README.md", "exec"), names)
    assert capsys.readouterr().out == "torch.Size([2, 3, 36, 64]) torch.Size([2, 18, 32])\n"
    assert bool(names["views"].rgb.isfinite().all())
