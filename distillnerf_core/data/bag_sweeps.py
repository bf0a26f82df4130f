"""The images of a recording, grouped to sweeps as the live node does it, with calibration and pose."""

from collections.abc import Iterator
from dataclasses import dataclass

from distillnerf_core.data.bag_index import BagIndex, CameraEvent, MessagePlace
from distillnerf_core.data.drive import DriveImage
from distillnerf_core.errors import CalibrationError, DataError
from distillnerf_core.streams.camera_info import PinholeCalibration
from distillnerf_core.streams.camera_set import AddOutcome
from distillnerf_core.streams.camera_view import CameraView
from distillnerf_core.streams.ego_masks import EgoMasks
from distillnerf_core.streams.frame_assembler import LocatedSweep
from distillnerf_core.streams.frame_stream import FrameStream
from distillnerf_core.streams.phase_estimation import estimate_phases
from distillnerf_core.streams.stream_config import StreamConfig
from distillnerf_core.streams.synchroniser import reference_camera


@dataclass(frozen=True)
class PlacedImage:
    """An image of the drive and how its pixels are made.

    Attributes:
        image: What the drive says about it.
        place: Where the message is.
        view: Rectifies it.
    """

    image: DriveImage
    place: MessagePlace
    view: CameraView


def locate_sweeps(index: BagIndex, config: StreamConfig) -> list[LocatedSweep]:
    """Groups the images of a recording; unlike the live node it knows poses, phases and first calibrations beforehand.

    Args:
        index: The recording; what is dropped is added to its problems.
        config: Limits, with the fixed frame.

    Raises:
        DataError: If the time jumps back.
    """
    stream = FrameStream(index.layout, _with_phases(index, config), index.transforms)
    located, now_ns = [], 0
    for event in [*_first_calibrations(index.events), *index.events]:
        if event.image is None:
            try:
                stream.add_camera_info(event.camera, event.info)
            except CalibrationError as err:
                index.note(str(err))
            continue
        now_ns = event.log_ns
        if stream.add_image(event.camera, event.image, now_ns) is AddOutcome.RESET:
            raise DataError(
                f"the time jumps back on {event.image.place.topic} at {now_ns} ns; record each drive on its own"
            )
        located += stream.poll(now_ns)
    located += stream.flush(now_ns)
    dropped = dict(stream.dropped) | {"too few cameras": stream.synchroniser.sweeps.incomplete}
    for reason, count in dropped.items():
        if count:
            index.note(f"{count} sweeps are left out ({reason}). {stream.last_problem}".rstrip())
    return sorted(located, key=lambda item: item.sweep.stamp_ns)


class ImagePlacer:
    """Gives the images of sweeps their poses; a view is made once for each calibration.

    Args:
        index: The recording; cameras that cannot be used are added to its problems.
        config: Limits, with the fixed frame.
    """

    def __init__(self, index: BagIndex, config: StreamConfig) -> None:
        self._index = index
        self._config = config
        self._masks = EgoMasks(config.ego_mask_dir, config.max_image_pixels)
        self._views: dict[tuple[str, int], tuple[PinholeCalibration, CameraView | None]] = {}

    def place(self, located: LocatedSweep, number: int) -> Iterator[PlacedImage]:
        """Yields the usable images of a sweep.

        Args:
            located: The sweep.
            number: Its number in the drive.

        Raises:
            TransformError: If the body has no pose at the time of the sweep.
        """
        sweep, poses, motion = located.sweep, located.poses, self._config.motion
        base_to_world = self._index.transforms.lookup(
            motion.fixed_frame,
            sweep.stamp_ns,
            motion.base_frame,
            sweep.stamp_ns,
            motion.fixed_frame,
            tolerance_s=motion.extrapolation_s,
        )
        for position, camera in enumerate(sweep.cameras):
            recorded, calibration = sweep.payloads[position], located.calibrations[position]
            view = None if recorded is None else self._view(camera, calibration)
            if camera in poses.problems:
                self._index.note(poses.problems[camera])
            elif view is not None and calibration is not None:
                pose = base_to_world @ poses.base_from_camera[camera]
                pose[:3, :3] = pose[:3, :3] @ calibration.camera_from_image
                size, stamp = (calibration.height, calibration.width), sweep.stamps_ns[position]
                image = DriveImage(camera, number, stamp, view.intrinsics, pose, *size)
                yield PlacedImage(image, recorded.place, view)

    def _view(self, camera: str, calibration: PinholeCalibration | None) -> CameraView | None:
        if calibration is None:
            self._index.note(f"{camera}: no usable CameraInfo; record its camera_info topic, or set calibration_file")
            return None
        key = (camera, id(calibration))
        if key not in self._views:
            self._views[key] = (calibration, self._create(camera, calibration))
        return self._views[key][1]

    def _create(self, camera: str, calibration: PinholeCalibration) -> CameraView | None:
        size = (calibration.height, calibration.width)
        try:
            if size[0] * size[1] > self._config.max_image_pixels:
                raise CalibrationError(f"{camera}: images of {size[1]}x{size[0]} pixels are above max_image_pixels")
            return CameraView(camera, calibration, size, self._config.max_fov_deg, self._masks.body(camera))
        except CalibrationError as err:
            self._index.note(str(err))
            return None


def _with_phases(index: BagIndex, config: StreamConfig) -> StreamConfig:
    """Returns the configuration with the phases of the whole recording, where neither it nor the layout has some."""
    completed = index.layout.synchroniser_config(config.synchroniser)
    if completed.phases_ms or completed.auto_phase:
        return config
    stamps: dict[str, list[int]] = {name: [] for name in index.layout.names}
    for event in index.events:
        if event.image is not None:
            stamps[event.camera].append(event.log_ns if completed.use_receive_time else event.image.place.stamp_ns)
    reference = reference_camera(index.layout.names, completed.reference)
    phases = estimate_phases({name: sorted(times) for name, times in stamps.items()}, reference)
    synchroniser = config.synchroniser.model_copy(update={"phases_ms": phases})
    return config.model_copy(update={"synchroniser": synchroniser})


def _first_calibrations(events: list[CameraEvent]) -> list[CameraEvent]:
    """Returns the first CameraInfo of each camera, so that images before it have a calibration, too."""
    first: dict[str, CameraEvent] = {}
    for event in events:
        if event.image is None:
            first.setdefault(event.camera, event)
    return list(first.values())
