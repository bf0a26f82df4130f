"""Repairs the CMake files of the ROS 2 wheels, which name the include folders of the machine that built them.

Run with the interpreter of the virtual environment; running it again changes nothing.
"""

import re
import sys
import sysconfig
from pathlib import Path

import numpy

NUMPY_INCLUDE = re.compile(r"/opt/python/[^/;\"]+/lib/python3\.\d+/site-packages/numpy/_core/include")
PYTHON_INCLUDE = re.compile(r"/opt/python/[^/;\"]+/include/python3\.\d+")


def repaired(text: str) -> str:
    """Returns the CMake text with this interpreter's include folders."""
    text = NUMPY_INCLUDE.sub(numpy.get_include().replace("\\", "/"), text)
    return PYTHON_INCLUDE.sub(sysconfig.get_path("include"), text)


def repair(share: Path) -> int:
    """Repairs every CMake file under `share`; returns how many changed."""
    changed = 0
    for path in share.rglob("*.cmake"):
        text = path.read_text(encoding="utf-8")
        if (better := repaired(text)) != text:
            path.write_text(better, encoding="utf-8")
            changed += 1
    return changed


if __name__ == "__main__":
    sys.stdout.write(f"repaired {repair(Path(sys.prefix) / 'share')} CMake files of the ROS 2 wheels\n")
