"""Writes a published variant of full size with random but reproducible weights, to try commands without a checkpoint.

    python -m benchmarks.seeded_checkpoint OUT.safetensors [--variant reference-linear]

The file is what `distillnerf convert-checkpoint` would write, and says that its weights mean nothing: shapes, time and
memory are those of a real one, but what it predicts is noise.
"""

import argparse
from pathlib import Path

from benchmarks.reference_inputs import SEED, seeded_tensors
from distillnerf_core.model.reference.conversion import ConvertedWeights
from distillnerf_core.model.reference.variants import VARIANTS
from distillnerf_core.model.reference.weights_file import save_reference


def write_seeded(path: Path, variant: str) -> None:
    """Writes seeded weights of a variant."""
    weights = ConvertedWeights(variant, (variant,), seeded_tensors(VARIANTS[variant]), {})
    save_reference(path, weights, {"source": f"random weights, seed {SEED}: predictions mean nothing"})


def main() -> None:
    """Writes the file that was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=Path, metavar="OUT.safetensors")
    parser.add_argument("--variant", choices=list(VARIANTS), default="reference-linear")
    arguments = parser.parse_args()
    write_seeded(arguments.output, arguments.variant)
    print(f"{arguments.output}: {arguments.output.stat().st_size / 2**20:.0f} MiB, {arguments.variant}")


if __name__ == "__main__":
    main()
