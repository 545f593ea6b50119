"""Builds the compiled module, `streams/_compiled.c`, where there is a C compiler; without one lotrisk is Python alone.

hatchling calls it for wheels and editable installations; `python hatch_build.py [DIRECTORY]` builds in place.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NAME = "streams/_compiled"
FLAGS = ("-O3", "-fPIC", "-shared", "-Wall", "-Wextra", "-Wno-missing-field-initializers")


def build(root: Path) -> Path | None:
    """Compile the module beside its source; None, and why on stderr, where that can't be done."""
    module = root / f"{NAME}{sysconfig.get_config_var('EXT_SUFFIX')}"
    compiler = shlex.split(sysconfig.get_config_var("CC") or "cc")[0]
    made = module.with_name(module.name + ".new")
    command = [compiler, *FLAGS, f"-I{sysconfig.get_path('include')}", str(root / f"{NAME}.c"), "-o", str(made)]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        module.unlink(missing_ok=True)
        why = error.stderr if isinstance(error, subprocess.CalledProcessError) else error
        sys.stderr.write(f"lotrisk is installed without its compiled module, and slower: {why}\n")
        return None
    # A process that has the old one open keeps it.
    made.replace(module)
    return module


class CompiledModule(BuildHookInterface[Any]):
    """Adds the module to a wheel, which is then one of this Python and this platform."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """See hatchling's build hooks."""
        root = Path(self.root)
        module = build(root)
        if module is None:
            return
        build_data["pure_python"] = False
        build_data["infer_tag"] = True
        if version != "editable":
            build_data["force_include"][str(module)] = str(module.relative_to(root))


if __name__ == "__main__":
    sys.exit(0 if build(Path(sys.argv[1]) if sys.argv[1:] else Path(__file__).parent) else 1)
