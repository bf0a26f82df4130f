"""Runs the benchmarks of a frame and of the synchroniser: `make bench`.

python -m benchmarks [--json FILE] [--frames 10]
"""

import argparse
import json
from pathlib import Path

from benchmarks import frame


def main() -> None:
    """Measures a frame, prints its stages in milliseconds, and writes them as JSON where asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--frames", type=int, default=10, help="frames measured after two that warm up")
    parser.add_argument("--checkpoint", type=Path, help="predictor; default: the shipped one")
    arguments = parser.parse_args()
    figures = {"frame": frame.run(arguments.frames, arguments.checkpoint)}
    if arguments.json is not None:
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        arguments.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
