"""The house rules that a machine can check."""

import ast
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FLOORS = [
    {"errors", "voxels"},
    {"geometry", "configuration", "language", "sharding"},
    {"frames"},
    {"streams", "model", "simulation"},
    {"data", "perception"},
    {"teachers", "training", "evaluation"},
    {"cli"},
]
SEPARATE = {"streams", "model", "simulation"}
ROS = ("rclpy", "sensor_msgs", "std_msgs", "geometry_msgs", "visualization_msgs", "distillnerf_ros", "launch")


def floor_of(room: str) -> int:
    return next(number for number, rooms in enumerate(FLOORS) if room in rooms)


def imported_rooms(path: Path) -> set[str]:
    rooms = set()
    for node in ast.walk(ast.parse(path.read_text())):
        modules = []
        if isinstance(node, ast.ImportFrom) and node.module:
            modules = [node.module]
        elif isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        for module in modules:
            parts = module.split(".")
            if parts[0] == "distillnerf_core" and len(parts) > 1:
                rooms.add(parts[1])
    return rooms


def test_imports_never_run_up() -> None:
    wrong = []
    for path in (ROOT / "distillnerf_core").rglob("*.py"):
        room = path.relative_to(ROOT / "distillnerf_core").parts[0].removesuffix(".py")
        if room == "__init__":
            continue
        for other in imported_rooms(path) - {room}:
            same_floor = floor_of(other) == floor_of(room) and {other, room} <= SEPARATE
            if floor_of(other) > floor_of(room) or same_floor:
                wrong.append(f"{path.relative_to(ROOT)} imports {other}")
    assert wrong == []


def test_the_core_loads_without_ros() -> None:
    code = (
        "import sys, pkgutil, importlib, distillnerf_core\n"
        "for module in pkgutil.walk_packages(distillnerf_core.__path__, 'distillnerf_core.'):\n"
        "    importlib.import_module(module.name)\n"
        f"print([name for name in {ROS!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip().endswith("[]")


def test_files_stay_short() -> None:
    sources = [*(ROOT / "distillnerf_core").rglob("*.py"), *(ROOT / "distillnerf_ros").rglob("*.py")]
    long = [str(path.relative_to(ROOT)) for path in sources if path.read_text().count("\n") > 300]
    assert long == []
