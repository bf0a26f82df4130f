import subprocess
import sys

import pytest
from pydantic import BaseModel

from distillnerf_core.configuration import parse_config
from distillnerf_core.errors import ConfigurationError
from distillnerf_core.streams.layouts import Layout
from distillnerf_core.streams.stream_config import StreamConfig


def test_configuration_and_presets_load_without_torch_opencv_or_ros() -> None:
    code = (
        "import sys; from distillnerf_core.streams import stream_config, layouts, synchroniser; "
        "layouts.load_layout('autoware'); "
        "print(sorted({'torch', 'cv2', 'rclpy', 'sensor_msgs', 'rosbags'} & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_the_whole_room_imports_no_ros_package() -> None:
    code = (
        "import sys, pkgutil, importlib; import distillnerf_core.streams as room\n"
        "for item in pkgutil.iter_modules(room.__path__): importlib.import_module(f'{room.__name__}.{item.name}')\n"
        "print(sorted({'rclpy', 'sensor_msgs', 'std_msgs', 'tf2_msgs', 'cv_bridge'} & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


@pytest.mark.parametrize("cls", [StreamConfig, Layout])
def test_every_field_is_described(cls: type[BaseModel]) -> None:
    for name, field in cls.model_fields.items():
        assert field.description, f"{cls.__name__}.{name}"
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            test_every_field_is_described(field.annotation)


def test_values_out_of_range_name_the_key() -> None:
    with pytest.raises(ConfigurationError, match=r"synchroniser\.tolerance_s"):
        parse_config({"synchroniser": {"tolerance_s": -1}}, StreamConfig)
