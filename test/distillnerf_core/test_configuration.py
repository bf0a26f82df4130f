from pathlib import Path

import pytest

from distillnerf_core.configuration import Config, load_config, parse_config
from distillnerf_core.errors import ConfigurationError


class Engine(Config):
    power_kw: float = 100.0


class Car(Config):
    seats: int = 5
    engine: Engine = Engine()


def test_an_unknown_key_names_itself_and_the_valid_ones() -> None:
    with pytest.raises(ConfigurationError, match=r"unknown key 'engine\.torque' \(valid keys here: power_kw\)"):
        parse_config({"engine": {"torque": 3}}, Car)


def test_a_wrong_value_names_its_key() -> None:
    with pytest.raises(ConfigurationError, match="'seats'"):
        parse_config({"seats": "many"}, Car)


def test_overrides_change_nested_values(tmp_path: Path) -> None:
    path = tmp_path / "car.yaml"
    path.write_text("seats: 2\n")
    car = load_config(path, Car, ["engine.power_kw=55.5"])
    assert (car.seats, car.engine.power_kw) == (2, 55.5)


@pytest.mark.parametrize(("text", "message"), [("- a\n", "expected a mapping"), ("a: [", "cannot read")])
def test_files_that_are_no_configuration_are_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "car.yaml"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=message):
        load_config(path, Car)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"nothing\.yaml"):
        load_config(tmp_path / "nothing.yaml", Car)


def test_an_override_without_value_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "car.yaml"
    path.write_text("")
    with pytest.raises(ConfigurationError, match=r"section\.key=value"):
        load_config(path, Car, ["seats"])
