"""Every command that README and docs show exists and takes the options shown."""

import importlib.util
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
LAUNCH_ARGUMENT = re.compile(r"(\w+):=")


def shown_commands() -> Iterator[tuple[str, str]]:
    """Command lines in code blocks and in the text, with their documents."""
    for path in DOCUMENTS:
        text = path.read_text(encoding="utf-8")
        blocks = re.findall(r"```(?:bash|sh|console)?\n(.*?)```", text, re.DOTALL)
        lines = [line.strip() for block in blocks for line in block.replace("\\\n", " ").splitlines()]
        prose = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
        inline = [" ".join(code.split()) for code in re.findall(r"`([^`]+)`", prose)]
        for line in [*lines, *inline]:
            command = re.split(r"\s+#\s", line)[0].rstrip(";").strip()
            if command:
                yield path.name, command


def commands_of(program: str) -> list[tuple[str, str]]:
    return sorted({(name, command) for name, command in shown_commands() if command.startswith(f"{program} ")})


@pytest.mark.parametrize(("document", "command"), commands_of("distillnerf"))
def test_commands_of_the_library_parse(document: str, command: str) -> None:
    from distillnerf_core.cli.main import app

    words = shlex.split(re.sub(r"[\[\]]|\.\.\.", " ", command))[1:]
    current: Any = typer.main.get_command(app)
    context = current.make_context("distillnerf", ["--help"], resilient_parsing=True)
    while hasattr(current, "get_command") and words:
        found = current.get_command(context, words[0])
        assert found is not None, f"{document}: {command}: there is no command {words[0]!r}"
        current, words = found, words[1:]
    known = {name for parameter in current.params for name in (*parameter.opts, *parameter.secondary_opts)}
    shown = {word.partition("=")[0] for word in words if re.match(r"--\w", word)}
    assert shown <= known | {"--help"}, f"{document}: {command}"
    needed = [parameter for parameter in current.params if parameter.required and not parameter.opts[0].startswith("-")]
    given = [word for word in words if not word.startswith("-")]
    assert not words or len(given) >= len(needed), f"{document}: {command}"


@pytest.mark.parametrize(("document", "command"), commands_of("make"))
def test_targets_exist(document: str, command: str) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    words = [word for word in shlex.split(command)[1:] if "=" not in word and re.fullmatch(r"[a-z]+", word)]
    assert set(words) <= targets, f"{document}: {command}"


@pytest.mark.parametrize(("document", "command"), commands_of("python"))
def test_modules_and_scripts_exist(document: str, command: str) -> None:
    words = shlex.split(command)
    if "-m" in words:
        module = words[words.index("-m") + 1]
        assert importlib.util.find_spec(module) is not None, f"{document}: {command}"
    elif words[1].endswith(".py"):
        assert (ROOT / words[1]).is_file(), f"{document}: {command}"


@pytest.mark.parametrize(("document", "command"), commands_of("ros2 launch"))
def test_launch_files_and_their_arguments_exist(document: str, command: str) -> None:
    file = shlex.split(command)[3]
    assert (ROOT / "launch" / file).is_file(), f"{document}: {command}"
    sources = [ROOT / "launch" / file, *(ROOT / "distillnerf_ros").glob("launch*.py")]
    pieces = "".join(path.read_text(encoding="utf-8") for path in sources)
    for argument in LAUNCH_ARGUMENT.findall(command):
        assert f'"{argument}"' in pieces, f"{document}: {command}: no launch argument {argument!r}"


@pytest.mark.parametrize(("document", "command"), commands_of("ros2 service call"))
def test_service_calls_name_fields_that_exist(document: str, command: str) -> None:
    words = shlex.split(command)
    package, _, kind = words[4].split("/")
    assert package == "distillnerf_ros", f"{document}: {command}"
    request = (ROOT / "srv" / f"{kind}.srv").read_text(encoding="utf-8").split("---")[0]
    fields = {line.split()[1] for line in request.splitlines() if line and not line.startswith("#")}
    asked = yaml.safe_load(words[5]) if len(words) > 5 else {}
    assert set(asked or {}) <= fields, f"{document}: {command}"
