"""Environment variables: a value that names no folder is refused with the variable's name."""

from pathlib import Path

import pytest

from relabel_assets.errors import ConfigError, WarehouseError
from relabel_assets.home import Home, settings_from_environment


@pytest.mark.parametrize("variable", ["RELABEL_HOME", "RELABEL_DATA"])
@pytest.mark.parametrize("value", ["loop", "bytes\udcff", "~nobody_of_this_name/x"])
def test_a_path_that_cannot_be_used_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("loop").symlink_to("loop")
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigError, match=f"{variable} is .*Set it to a folder"):
        settings_from_environment()


def test_a_working_directory_that_is_gone_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RELABEL_HOME", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    with pytest.raises(ConfigError, match="RELABEL_HOME"):
        settings_from_environment()


@pytest.mark.parametrize("variable", ["RELABEL_AUTOMATION", "RELABEL_BACKFILL"])
@pytest.mark.parametrize("value", ["ON", " on", "1", "\x1b[31m", "\udcff"])
def test_an_odd_value_is_refused_with_the_allowed_ones(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigError, match=f"{variable} is .* Allowed: "):
        settings_from_environment()


@pytest.mark.parametrize(("value", "expected"), [("", 20.0), ("0", 0.0), ("2.5", 2.5)])
def test_the_limit_on_vectors_is_a_number_of_gigabytes(
    monkeypatch: pytest.MonkeyPatch, value: str, expected: float
) -> None:
    monkeypatch.setenv("RELABEL_VECTORS_GB", value)
    assert settings_from_environment().vectors_gb == expected


@pytest.mark.parametrize("value", ["-1", "nan", "inf", "20 GB"])
def test_another_limit_on_vectors_is_refused(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("RELABEL_VECTORS_GB", value)
    with pytest.raises(ConfigError, match=f"RELABEL_VECTORS_GB is '{value}'. Allowed: a number of"):
        settings_from_environment()


@pytest.mark.parametrize("place", ["", "/etc", "../models", "models/../../x", "models/.."])
def test_a_row_names_no_place_outside_the_home(tmp_path: Path, place: str) -> None:
    with pytest.raises(WarehouseError, match="outside RELABEL_HOME"):
        Home(tmp_path).inside(place)
    assert Home(tmp_path).inside("models/demo/4f1c") == tmp_path / "models/demo/4f1c"
