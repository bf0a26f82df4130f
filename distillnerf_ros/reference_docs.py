"""Writes what is generated from the code: `python -m distillnerf_ros.reference_docs --write`.

docs/parameters.md, docs/topics.md and deployment/sros2_policy.xml.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from distillnerf_core.errors import DistillNerfError
from distillnerf_ros.parameter_reference import parameter_page
from distillnerf_ros.sros2_policy import policy_file
from distillnerf_ros.topic_reference import NODE, PRESET, node_interface, topic_page


def reference_pages() -> dict[str, str]:
    """Returns the text of each file by its path in the checkout.

    Raises:
        ConfigurationError: If a topic has no description, or a described one does not exist.
    """
    interface = node_interface()
    return {
        "docs/parameters.md": parameter_page(),
        "docs/topics.md": topic_page(interface),
        "deployment/sros2_policy.xml": policy_file(interface.access, NODE.removeprefix("/"), PRESET),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes the pages, or says which are stale; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, default=Path(), help="folder of the checkout")
    action = parser.add_mutually_exclusive_group(required=True)
    action.add_argument("--write", action="store_true", help="write the pages")
    action.add_argument("--check", action="store_true", help="fail where a page differs from the code")
    options = parser.parse_args(arguments)
    try:
        pages = reference_pages()
    except DistillNerfError as err:
        sys.stderr.write(f"{err}\n")
        return 2
    if options.write:
        for name, text in pages.items():
            (options.root / name).write_text(text, encoding="utf-8")
        return 0
    stale = [name for name, text in pages.items() if _read(options.root / name) != text]
    for name in stale:
        sys.stderr.write(f"{options.root / name} is stale: python -m distillnerf_ros.reference_docs --write\n")
    return 1 if stale else 0


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""


if __name__ == "__main__":
    sys.exit(main())
