"""What is installed is whole: the wheel holds the program and its data, and nothing of the tests."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from streams.compiled import COMPILED
from tests.contract.frame.generated import ROOT
from tests.contract.frame.test_tracked_files import tracked


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    directory = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", directory],
        cwd=ROOT, check=True, capture_output=True, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    (built,) = Path(directory).glob("lotrisk-*.whl")
    return zipfile.ZipFile(built)


def test_the_wheel_holds_every_file_of_both_packages(wheel: zipfile.ZipFile) -> None:
    wanted = {name for name in tracked() if name.startswith(("streams/", "schemas/"))}
    assert wanted - set(wheel.namelist()) == set()


def test_the_wheel_holds_the_command_the_faust_driver_and_the_licence(wheel: zipfile.ZipFile) -> None:
    (entry_points,) = (name for name in wheel.namelist() if name.endswith("entry_points.txt"))
    text = wheel.read(entry_points).decode()
    assert "lotrisk = streams.cli:main" in text
    assert "[faust.transports]\nlotrisk = streams.transport.driver:Transport" in text
    assert any(name.endswith("licenses/LICENSE") for name in wheel.namelist())


def test_the_wheel_holds_the_compiled_module_of_this_python_where_there_is_a_compiler(wheel: zipfile.ZipFile) -> None:
    suffix = sysconfig.get_config_var("EXT_SUFFIX")
    found = [name for name in wheel.namelist() if name.endswith(".so")]
    assert found == ([f"streams/_compiled{suffix}"] if COMPILED else [])
    (about,) = (name for name in wheel.namelist() if name.endswith("/WHEEL"))
    assert f"Root-Is-Purelib: {'false' if COMPILED else 'true'}" in wheel.read(about).decode()


def test_the_wheel_holds_no_tests(wheel: zipfile.ZipFile) -> None:
    tops = {name.split("/")[0] for name in wheel.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"streams", "schemas"}
