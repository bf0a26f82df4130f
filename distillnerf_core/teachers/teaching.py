"""Lets a teacher fill a folder."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from distillnerf_core.data.drive import Drive, DriveImage
from distillnerf_core.teachers.layout import ORIGINAL, TaughtWriter, create_index
from distillnerf_core.teachers.protocol import VIRTUAL_OFFSETS_M, Teacher


def key_images(drive: Drive) -> tuple[DriveImage, ...]:
    """Returns the images of the key sweeps of a drive."""
    keys = set(drive.key_sweeps)
    return tuple(image for image in drive.images if image.sweep in keys)


def teach(
    folder: Path, drive: Drive, teacher: Teacher, images: Sequence[DriveImage], size: tuple[int, int]
) -> Iterator[tuple[int, int]]:
    """Writes all views of images that the folder lacks; yields (done, all) at the start and after each image.

    Args:
        folder: Folder to begin or to go on with.
        drive: The drive.
        teacher: A teacher built for the drive.
        images: Images of the drive that belong into the folder.
        size: Height and width of all views.

    Raises:
        DataError: If the folder holds something else, or a file cannot be read or written.
    """
    writer = TaughtWriter.open(folder, create_index(drive, teacher, images, size, VIRTUAL_OFFSETS_M))
    by_name = {(image.sweep, image.camera): image for image in images}
    missing = writer.missing()
    done = len(images) - len(missing)
    yield done, len(images)
    for entry in missing:
        image = by_name[entry.sweep, entry.camera]
        virtual = {name: teacher.virtual_view(image, offset, *size) for name, offset in VIRTUAL_OFFSETS_M.items()}
        writer.write(entry, {ORIGINAL: teacher.original_view(image, *size), **virtual})
        done += 1
        yield done, len(images)
    writer.remove_remains()
