"""The lines that docs/troubleshooting.md quotes are lines that the code prints."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
GAP = "\0"


def quotes() -> list[str]:
    text = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
    return [line.removeprefix("> ") for line in text.splitlines() if line.startswith("> ")]


def flattened(node: ast.expr) -> str:
    """A string as it is printed, with a gap for each value."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(flattened(part) for part in node.values)
    return GAP


def printed() -> Iterator[str]:
    for folder in ("distillnerf_core", "distillnerf_ros"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str)):
                    yield re.sub(r"%(s|d|r|\.\d+f)", GAP, flattened(node))


@pytest.fixture(scope="module")
def messages() -> list[str]:
    return list(printed())


@pytest.mark.parametrize("quote", quotes())
def test_a_quoted_line_is_printed_somewhere(quote: str, messages: list[str]) -> None:
    parts = [re.escape(part) for part in quote.split("…")]
    pattern = re.compile(".*?".join(parts).strip(), re.DOTALL)
    assert any(pattern.search(message) for message in messages), f"nothing in the code prints: {quote}"


def test_there_are_quotes() -> None:
    assert len(quotes()) > 20
