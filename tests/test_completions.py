"""The completion scripts are the generator's, and a shell that sources one completes commands, options and choices."""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

COMPLETIONS = Path(__file__).parents[1] / "completions"


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", COMPLETIONS / "generate.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_files_are_what_the_generator_writes(generator: ModuleType, shell: str) -> None:
    written = (COMPLETIONS / generator.FILES[shell]).read_text(encoding="utf-8")
    assert written == generator.script(shell)


def complete_in_bash(*words: str) -> list[str]:
    """Return the words that bash offers for the last of `words`, through the script that a user sources."""
    script = (
        f"source '{COMPLETIONS / 'xrayaug.bash'}'; COMP_WORDS=({' '.join(words)}); "
        f"COMP_CWORD={len(words) - 1}; _xrayaug_completion xrayaug; printf '%s\\n' \"${{COMPREPLY[@]}}\""
    )
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    finished = subprocess.run(
        ["bash", "-c", script], env=os.environ | {"PATH": path}, capture_output=True, text=True, check=True
    )
    return finished.stdout.split()


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash to ask")
def test_bash_completes_commands_options_and_choices() -> None:
    assert complete_in_bash("xrayaug", "train") == ["train-gan", "train-classifier"]
    assert "--latent" in complete_in_bash("xrayaug", "train-gan", "--la")
    assert {"mura", "rsna", "folder", "table"} <= set(complete_in_bash("xrayaug", "prepare", "--source", "''"))
