"""Features on disk: a folder with a description, a compression, and one file for each image."""

import hashlib
import json
import os
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import pydantic
import safetensors
import torch
from safetensors.torch import save
from torch import Tensor

from distillnerf_core.configuration import Config, parse_config
from distillnerf_core.data.paths import file_inside
from distillnerf_core.errors import ConfigurationError, DataError
from distillnerf_core.teachers.features.quantised import QuantisedFeatures
from distillnerf_core.teachers.features.weights import hash_files

FORMAT = "distillnerf-features"
VERSION = 1
INDEX_FILE = "index.json"
COMPRESSION_FILE = "reduction_pca.npz"
IMAGES_FOLDER = "images"
_SUFFIX = ".safetensors"
_TENSORS = ("codes", "lower", "upper", "valid")


class CompressionPlan(Config):
    """How the features of the model become those of the cache.

    Attributes:
        kind: "fitted" to the data set, "given" as a file, or "none".
        channels: Channels that are kept; those of the model where there is no compression.
        images: Images that the fit looks at.
        cells: Cells of each of them.
        seed: Which cells.
        given_sha256: Hash of the file that was given.
    """

    kind: Literal["fitted", "given", "none"]
    channels: int = pydantic.Field(ge=1)
    images: int = pydantic.Field(default=0, ge=0)
    cells: int = pydantic.Field(default=0, ge=0)
    seed: int = pydantic.Field(default=0, ge=0)
    given_sha256: str = ""


class FeatureIndex(Config):
    """All that decides about the content of a cache; index.json holds it.

    Attributes:
        format: Always :data:`FORMAT`.
        version: Of the layout of the files.
        teacher: Short name of the teacher.
        description: Model, hash of its weights, and how it was run.
        margin_px: Border of the working image outside the cells, see `FeatureTeacher`.
        compression: How the features were compressed.
    """

    format: Literal["distillnerf-features"] = "distillnerf-features"
    version: Literal[1] = 1
    teacher: str
    description: Mapping[str, str]
    margin_px: float
    compression: CompressionPlan


class FeatureCache:
    """A folder of features, whole files only; a killed run goes on where it stopped.

    Args:
        folder: The folder.
        index: What it is to hold; None: what it says itself.

    Attributes:
        folder: The folder.
        index: What it holds.

    Raises:
        DataError: If it is no such folder, or holds features of other settings.
    """

    def __init__(self, folder: Path, index: FeatureIndex | None = None) -> None:
        self.folder = folder
        path = folder / INDEX_FILE
        if index is not None and not path.exists():
            _write_text(path, json.dumps(index.model_dump(mode="json"), indent=1) + "\n")
        self.index = _read_index(path)
        if index is not None and index != self.index:
            raise DataError(
                f"{folder} holds features of other settings ({', '.join(_differences(index, self.index))} differ); "
                "choose another folder or delete it"
            )
        self._fingerprint = ""

    @property
    def compression_path(self) -> Path:
        """File of the compression, as `language.affine_compression` reads it."""
        return self.folder / COMPRESSION_FILE

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the description and the compression, which every file of features carries.

        Raises:
            DataError: If the compression is missing.
        """
        if not self._fingerprint:
            compression = ""
            if self.index.compression.kind != "none":
                if not self.compression_path.is_file():
                    raise DataError(f"{self.compression_path} is missing; run `distillnerf extract-features` again")
                compression = hash_files([self.compression_path])
            text = json.dumps(self.index.model_dump(mode="json"), sort_keys=True) + compression
            self._fingerprint = hashlib.sha256(text.encode()).hexdigest()
        return self._fingerprint

    @property
    def keys(self) -> tuple[str, ...]:
        """Keys of the images that the folder holds, sorted."""
        images = self.folder / IMAGES_FOLDER
        paths = images.rglob(f"*{_SUFFIX}")
        return tuple(sorted(path.relative_to(images).as_posix().removesuffix(_SUFFIX) for path in paths))

    def __contains__(self, key: str) -> bool:
        """Tells whether the features of an image are there."""
        return self._path(key).is_file()

    def write(self, key: str, features: QuantisedFeatures, size: tuple[int, int]) -> None:
        """Writes the features of an image so that the file appears complete or not at all.

        Args:
            key: Name of the image, such as "CAM_FRONT/1532402927612460000".
            features: The features.
            size: Height and width of the working image.

        Raises:
            DataError: If the file cannot be written, or the key leads out of the folder.
        """
        path = self._path(key)
        partial = path.with_suffix(f".partial{os.getpid()}")
        tensors = {name: getattr(features, name).contiguous() for name in _TENSORS}
        metadata = {
            "format": FORMAT,
            "version": str(VERSION),
            "key": key,
            "fingerprint": self.fingerprint,
            "height": str(size[0]),
            "width": str(size[1]),
        }
        metadata["crc32"] = str(_checksum(tensors, metadata))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # save_file would make the file unreadable to other users.
            partial.write_bytes(save(tensors, metadata))
            partial.replace(path)
        except (OSError, safetensors.SafetensorError) as err:
            partial.unlink(missing_ok=True)
            raise DataError(f"cannot write features {path}: {err}; free space or choose another folder") from err

    def read(self, key: str) -> tuple[QuantisedFeatures, tuple[int, int]]:
        """Reads the features of an image and the height and width of the working image.

        The file is mapped, not parsed, and its checksum is compared.

        Raises:
            DataError: If the file is missing, damaged, or belongs to other settings.
        """
        path = self._path(key)
        remedy = "delete it and run `distillnerf extract-features` again"
        try:
            with safetensors.safe_open(str(path), framework="pt") as opened:
                metadata = opened.metadata() or {}
                tensors = {name: opened.get_tensor(name) for name in _TENSORS}
            size = (int(metadata["height"]), int(metadata["width"]))
            whole = _checksum(tensors, metadata) == int(metadata["crc32"]) and metadata["key"] == key
        except FileNotFoundError as err:
            raise DataError(f"{self.folder} holds no features of image {key!r}") from err
        except (OSError, ValueError, KeyError, safetensors.SafetensorError) as err:
            raise DataError(f"{path}: damaged features ({err}); {remedy}") from err
        if not whole:
            raise DataError(f"{path}: damaged features (checksum or key differ); {remedy}")
        if metadata.get("fingerprint") != self.fingerprint:
            raise DataError(f"{path}: these features were made with other settings or another compression; {remedy}")
        return QuantisedFeatures(**tensors), size

    def _path(self, key: str) -> Path:
        try:
            return file_inside(self.folder / IMAGES_FOLDER, f"{key}{_SUFFIX}")
        except ValueError as err:
            raise DataError(f"image {key!r} cannot name a file: {err}") from err


def _checksum(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> int:
    said = {name: value for name, value in metadata.items() if name != "crc32"}
    value = zlib.crc32(json.dumps(said, sort_keys=True).encode())
    for name in _TENSORS:
        value = zlib.crc32(tensors[name].view(torch.uint8).numpy().data, value)
    return value


def _write_text(path: Path, text: str) -> None:
    partial = path.with_suffix(f".partial{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    except OSError as err:
        raise DataError(f"cannot write {path}: {err}; choose another folder") from err


def _read_index(path: Path) -> FeatureIndex:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if (content.get("format"), content.get("version")) != (FORMAT, VERSION):
            raise DataError(
                f"{path}: format {content.get('format')!r} version {content.get('version')!r}, expected {FORMAT!r} "
                f"version {VERSION}"
            )
        return parse_config(content, FeatureIndex, str(path))
    except OSError as err:
        raise DataError(f"{path.parent} holds no features ({err}); make them: distillnerf extract-features") from err
    except (ValueError, AttributeError, ConfigurationError) as err:
        raise DataError(f"{path}: damaged description ({err}); delete the folder and extract again") from err


def _differences(wanted: FeatureIndex, found: FeatureIndex) -> list[str]:
    first, second = wanted.model_dump(), found.model_dump()
    flat = {**first.pop("description"), **first.pop("compression"), **first}
    other = {**second.pop("description"), **second.pop("compression"), **second}
    return sorted(name for name in {*flat, *other} if flat.get(name) != other.get(name))
