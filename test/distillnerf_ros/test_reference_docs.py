"""The pages that are generated from the code."""

from dataclasses import replace
from pathlib import Path

import pytest

from distillnerf_core.errors import ConfigurationError
from distillnerf_ros import reference_docs
from distillnerf_ros.config import NodeConfig
from distillnerf_ros.parameter_reference import parameter_page
from distillnerf_ros.parameters import parameter_specs
from distillnerf_ros.reference_docs import main
from distillnerf_ros.topic_reference import Endpoint, Interface, node_interface, topic_page

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def interface() -> Interface:
    return node_interface()


def test_the_page_of_parameters_is_what_the_code_says() -> None:
    page = (ROOT / "docs" / "parameters.md").read_text()
    assert page == parameter_page(), "docs/parameters.md is stale: python -m distillnerf_ros.reference_docs --write"


def test_the_page_of_topics_is_what_the_code_says(interface: Interface) -> None:
    page = (ROOT / "docs" / "topics.md").read_text()
    assert page == topic_page(interface), "docs/topics.md is stale: python -m distillnerf_ros.reference_docs --write"


def test_every_parameter_has_a_row() -> None:
    page = parameter_page()
    names = [spec.name for spec in parameter_specs(NodeConfig)]
    assert len(names) > 40
    assert all(f"| `{name}` |" in page for name in names)
    assert "| `sync.tolerance_s` | double | `0.015` | 0 to 1 |" in page


def test_a_topic_without_a_description_and_one_that_is_gone_are_errors(interface: Interface) -> None:
    new = Endpoint("~/news", "std_msgs/msg/String", "reliable, volatile")
    with pytest.raises(ConfigurationError, match=r"lack a description: \['~/news'\]"):
        topic_page(replace(interface, outputs=(*interface.outputs, new)))
    with pytest.raises(ConfigurationError, match=r"do not exist: \['/tf'\]"):
        topic_page(replace(interface, inputs=tuple(item for item in interface.inputs if item.name != "/tf")))


def test_stale_pages_are_named(
    interface: Interface, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reference_docs, "node_interface", lambda: interface)
    assert main(["--docs", str(tmp_path), "--write"]) == 0
    assert main(["--docs", str(tmp_path), "--check"]) == 0
    (tmp_path / "topics.md").write_text("old")
    assert main(["--docs", str(tmp_path), "--check"]) == 1
    assert "topics.md is stale" in capsys.readouterr().err
