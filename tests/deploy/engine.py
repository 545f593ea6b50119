"""The container engine as the tests use it: any Docker-compatible one that `docker` reaches, and either compose."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = ROOT / "deploy" / "image" / "Dockerfile"
IMAGE = "lotrisk:0.1.0"


def docker(*arguments: str, seconds: float = 60.0, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run the docker command; a failure shows what it printed."""
    ran = subprocess.run(
        ["docker", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=seconds, check=False,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    if check:
        assert ran.returncode == 0, f"docker {' '.join(arguments)}:\n{ran.stdout[-2000:]}\n{ran.stderr[-4000:]}"
    return ran


def require_engine() -> None:
    """Fail, naming what to do, where no engine answers."""
    if shutil.which("docker") is None:
        pytest.fail("docker is not installed: apt-get install docker.io", pytrace=False)
    if docker("version", "--format", "{{.Server.Version}}", check=False).returncode:
        pytest.fail(
            "no container engine answers: start Docker (apt-get install docker.io && service docker start), or set "
            "DOCKER_HOST to one that runs",
            pytrace=False,
        )


def compose_command() -> list[str]:
    """`docker compose` where there is one, else `docker-compose`."""
    if docker("compose", "version", check=False).returncode == 0:
        return ["docker", "compose"]
    if shutil.which("docker-compose"):
        return ["docker-compose"]
    pytest.fail("compose is not installed: apt-get install docker-compose", pytrace=False)
