"""A drive through a simulated street, rendered when it is asked for, with its exact truth."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pydantic
import torch
from numpy.typing import NDArray

from distillnerf_core.configuration import Config
from distillnerf_core.data.drive import BoxTrack, DriveImage, DriveScan, FloatArray
from distillnerf_core.data.simulated_bag import START_NS
from distillnerf_core.errors import DataError
from distillnerf_core.geometry.cameras import CameraRig
from distillnerf_core.language.classes import CLASS_NAMES, OBJECT_CLASSES
from distillnerf_core.simulation.camera_effects import CameraEffects
from distillnerf_core.simulation.lidar import LidarConfig
from distillnerf_core.simulation.lidar_sweep import LidarSweep, sweep_lidar
from distillnerf_core.simulation.object_boxes import ObjectBoxes, bound_objects
from distillnerf_core.simulation.optical_flow import optical_flow, surface_velocity
from distillnerf_core.simulation.primitives import travelled_s
from distillnerf_core.simulation.rig import CAMERA_NAMES, nuscenes_rig
from distillnerf_core.simulation.scene import StreetScene, sample_scene
from distillnerf_core.simulation.simulator import SimulationConfig, exposure_ns, reference_stamp_ns, render_placed
from distillnerf_core.simulation.style import StreetStyle


class SimulatedDriveConfig(Config):
    """A drive through a simulated street.

    Attributes:
        seed: Number of the street.
        seconds: Length of the drive.
        rate_hz: Sweeps of the six cameras each second.
        key_rate_hz: Key sweeps each second, at most `rate_hz`.
        lidar_rate_hz: Revolutions of the LiDAR each second; 0 for none.
        lidar: Beams of the LiDAR.
        simulation: Image size and quality.
        effects: Faults of the cameras, in the images only.
        style: How the street is made; its length is that of the drive where its `seconds` are 0.
        label: What distinguishes the drive's name from those of other styles.
    """

    seed: int = pydantic.Field(default=0, ge=0)
    seconds: float = pydantic.Field(default=20.0, gt=0, le=60)
    rate_hz: float = pydantic.Field(default=12.0, gt=0, le=12)
    key_rate_hz: float = pydantic.Field(default=2.0, gt=0, le=12)
    lidar_rate_hz: float = pydantic.Field(default=20.0, ge=0, le=20)
    lidar: LidarConfig = LidarConfig()
    simulation: SimulationConfig = SimulationConfig(height=360, width=640, supersampling=1)
    effects: CameraEffects = CameraEffects()
    style: StreetStyle = StreetStyle(fastest_m_s=15.0)
    label: str = ""


@dataclass(frozen=True)
class SimulatedView:
    """A picture and what its pixels truly show; distances and labels belong to the rays through pixel centres.

    Attributes:
        pixels: RGB [height width 3].
        ray_distance_m: Distance [height width] along unit rays, +inf for the sky.
        labels: Occ3D class [height width], 17 for the sky.
        instances: Object number [height width] from 1; 0 for road and sky. See `SimulatedDrive.track_of`.
        moving: Whether [height width] the pixel shows an object that moves at the time.
    """

    pixels: NDArray[np.uint8]
    ray_distance_m: NDArray[np.float32]
    labels: NDArray[np.uint8]
    instances: NDArray[np.int64]
    moving: NDArray[np.bool_]


@dataclass(frozen=True)
class SimulatedFlow:
    """Exact motion of the pixels of an image to another one.

    Attributes:
        flow_px: Target pixel minus source pixel [height width 2], (column, row); NaN for the sky and for points that
            are not in front of the target camera.
        visible: Whether [height width] the point is inside the target image and not hidden there.
        moving: Whether [height width] the point is on an object that moves at the time of the image.
    """

    flow_px: NDArray[np.float32]
    visible: NDArray[np.bool_]
    moving: NDArray[np.bool_]


class SimulatedDrive:
    """The `Drive` of a simulated street. Nothing is kept: each reading renders again, and gives the same."""

    def __init__(
        self, config: SimulatedDriveConfig, scene: StreetScene | None = None, device: torch.device | str = "cpu"
    ) -> None:
        """Draws the street.

        Args:
            config: The drive.
            scene: A street to use in place of that of the seed.
            device: Where images are rendered.
        """
        self.config = config
        style = config.style if config.style.seconds else config.style.model_copy(update={"seconds": config.seconds})
        self.scene = (scene or sample_scene(config.seed, style)).to(device)
        self._sweeps = max(1, round(config.seconds * config.rate_hz))

    @property
    def name(self) -> str:
        """Name of the drive."""
        return "_".join(filter(None, (f"street_{self.config.seed:06d}", self.config.label)))

    @property
    def cameras(self) -> tuple[str, ...]:
        """Names of the cameras in the order of their exposures."""
        return CAMERA_NAMES

    @cached_property
    def images(self) -> tuple[DriveImage, ...]:
        """All images, sweep by sweep, each at its own time."""
        size = self.config.simulation
        rig = nuscenes_rig(size.height, size.width)
        intrinsics, mounts = rig.intrinsics.double().numpy(), rig.camera_to_ego.double().numpy()
        return tuple(
            DriveImage(
                camera=name,
                sweep=sweep,
                stamp_ns=stamp,
                intrinsics=intrinsics[index],
                camera_to_world=self.ego_to_world(stamp) @ mounts[index],
                height=size.height,
                width=size.width,
            )
            for sweep in range(self._sweeps)
            for index, (name, stamp) in enumerate(zip(CAMERA_NAMES, exposure_ns(self._start_ns(sweep)), strict=True))
        )

    @property
    def sweep_stamps_ns(self) -> tuple[int, ...]:
        """Exposure of CAM_FRONT in each sweep."""
        return tuple(reference_stamp_ns(self._start_ns(sweep)) for sweep in range(self._sweeps))

    @property
    def key_sweeps(self) -> tuple[int, ...]:
        """The sweeps nearest to the ticks of the key rate."""
        step = max(1.0, self.config.rate_hz / self.config.key_rate_hz)
        ticks = np.arange(0.0, self._sweeps - 0.5, step)
        return tuple(np.floor(ticks + 0.5).astype(int).tolist())

    @property
    def scan_stamps_ns(self) -> tuple[int, ...]:
        """End of each revolution of the LiDAR."""
        rate = self.config.lidar_rate_hz
        count = max(1, round(self.config.seconds * rate)) if rate > 0 else 0
        return tuple(START_NS + round((scan + 1) * 1e9 / rate) for scan in range(count))

    @cached_property
    def tracks(self) -> tuple[BoxTrack, ...]:
        """All vehicles, people, barriers and cones, whether they are ever seen or not, exact at all times."""
        last = max(self.images[-1].stamp_ns, *self.scan_stamps_ns, START_NS + 1)
        stamps = np.unique(np.array([START_NS, *self.sweep_stamps_ns, last], dtype=np.int64))
        return tuple(self._track(number, stamps) for number in range(len(self._boxes.instance)))

    @cached_property
    def _boxes(self) -> ObjectBoxes:
        return bound_objects(self.scene.primitives.to("cpu"), OBJECT_CLASSES)

    def _track(self, number: int, stamps: NDArray[np.int64]) -> BoxTrack:
        """Returns the track of a box at some times, and when it starts and stops between them."""
        boxes = self._boxes
        moving_s = boxes.moving_s[number].double()
        turns = (moving_s[moving_s.isfinite()] * 1e9).round().long().numpy() + START_NS
        stamps = np.unique((*stamps, *turns[(turns > stamps[0]) & (turns < stamps[-1])]))
        places = boxes.box_to_world[number].numpy()[None].repeat(len(stamps), axis=0)
        seconds = torch.from_numpy((stamps - START_NS) * 1e-9)
        travelled = travelled_s(moving_s.expand(len(stamps), 2), seconds).numpy()
        places[:, :3, 3] += travelled[:, None] * boxes.velocity_m_s[number].double().numpy()
        length, width, height = boxes.size_lwh_m[number].tolist()
        name = CLASS_NAMES[int(boxes.label[number])]
        return BoxTrack(self.track_of(int(boxes.instance[number])), name, (length, width, height), stamps, places)

    @staticmethod
    def track_of(instance: int) -> str:
        """Returns the identity of the track of an object number."""
        return f"object_{instance:05d}"

    def ego_to_world(self, stamp_ns: int) -> FloatArray:
        """Returns the pose [4 4] of the vehicle at a time."""
        return np.asarray(self.scene.path.pose((stamp_ns - START_NS) * 1e-9).numpy())

    def read_image(self, image: DriveImage) -> NDArray[np.uint8]:
        """Renders the pixels [height width 3] of an image, RGB, with the faults of its camera."""
        camera = CAMERA_NAMES.index(image.camera)
        return self.config.effects.apply(self.true_view(image).pixels, self.config.seed, camera, image.stamp_ns)

    def read_scan(self, index: int) -> DriveScan:
        """Casts the beams of a revolution, each azimuth from where the LiDAR is at its own time.

        Raises:
            DataError: If there is no such revolution.
        """
        sweep = self.true_scan(index)
        return DriveScan(
            stamp_ns=self.scan_stamps_ns[index],
            points_m=sweep.points_m.numpy(),
            origins_m=sweep.origins_m.numpy(),
            stamps_ns=sweep.stamps_ns.numpy() + START_NS,
            rings=sweep.rings.numpy().astype(np.int16),
        )

    def true_scan(self, index: int) -> LidarSweep:
        """Casts a revolution with class and object of each point, in the order of `read_scan`.

        Its `stamps_ns` count from the start of the scene.

        Raises:
            DataError: If there is no such revolution.
        """
        stamps = self.scan_stamps_ns
        if not 0 <= index < len(stamps):
            raise DataError(f"{self.name}: no LiDAR revolution {index}, there are {len(stamps)}")
        period_ns = round(1e9 / self.config.lidar_rate_hz)
        return sweep_lidar(self.scene, stamps[index] - START_NS, period_ns, self.config.lidar)

    def true_view(self, image: DriveImage) -> SimulatedView:
        """Renders an image, as a camera without faults sees it, with its truth."""
        return self.render_view(image.camera_to_world, image.intrinsics, image.height, image.width, image.stamp_ns)

    def true_ray_distance(self, image: DriveImage) -> NDArray[np.float32]:
        """Returns the distance [height width] along unit rays, metres, +inf for the sky."""
        return self.true_view(image).ray_distance_m

    def true_labels(self, image: DriveImage) -> NDArray[np.uint8]:
        """Returns the Occ3D class [height width] of each pixel, 17 for the sky."""
        return self.true_view(image).labels

    def true_instances(self, image: DriveImage) -> NDArray[np.int64]:
        """Returns the object number [height width] of each pixel, 0 for road and sky; see `track_of`."""
        return self.true_view(image).instances

    def moving_mask(self, image: DriveImage) -> NDArray[np.bool_]:
        """Tells which pixels [height width] show an object that moves."""
        return self.true_view(image).moving

    def true_flow(self, image: DriveImage, target: DriveImage) -> SimulatedFlow:
        """Returns where every pixel of an image is in another one, of the same or another camera."""
        device = self.scene.primitives.center_m.device
        cameras = [
            _placed(one.camera_to_world, one.intrinsics, one.height, one.width).to(device) for one in (image, target)
        ]
        seconds = [(one.stamp_ns - START_NS) * 1e-9 for one in (image, target)]
        flow = optical_flow(self.scene, cameras[0], seconds[0], cameras[1], seconds[1])
        return SimulatedFlow(flow.flow_px.cpu().numpy(), flow.visible.cpu().numpy(), flow.moving.cpu().numpy())

    def render_view(
        self, camera_to_world: FloatArray, intrinsics: FloatArray, height: int, width: int, stamp_ns: int
    ) -> SimulatedView:
        """Renders the street as a camera anywhere sees it at a time.

        Args:
            camera_to_world: Pose [4 4] of the camera, metres, OpenCV axes.
            intrinsics: Pinhole matrix [3 3] in pixels, pixel centres at integer + 0.5.
            height: Rows.
            width: Columns.
            stamp_ns: The time, on the clock of the images.
        """
        camera = _placed(camera_to_world, intrinsics, height, width)
        image, geometry = render_placed(self.scene, camera, stamp_ns - START_NS, self.config.simulation)
        seconds = (stamp_ns - START_NS) * 1e-9
        return SimulatedView(
            pixels=(image * 255.0).round().byte().permute(1, 2, 0).cpu().numpy(),
            ray_distance_m=geometry.distance_m.cpu().numpy(),
            labels=geometry.labels.cpu().numpy(),
            instances=geometry.instances.cpu().numpy(),
            moving=(surface_velocity(self.scene.primitives, geometry, seconds).norm(dim=-1) > 0).cpu().numpy(),
        )

    def _start_ns(self, sweep: int) -> int:
        return START_NS + round(sweep * 1e9 / self.config.rate_hz)


def _placed(camera_to_world: FloatArray, intrinsics: FloatArray, height: int, width: int) -> CameraRig:
    matrix = torch.from_numpy(np.asarray(intrinsics, dtype=np.float32))[None]
    pose = torch.from_numpy(np.asarray(camera_to_world, dtype=np.float32))[None]
    return CameraRig(("virtual",), matrix, pose, height, width)
