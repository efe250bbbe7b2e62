"""Write the completion scripts of this directory; `make completions` runs it, and a test holds them to the program."""

from pathlib import Path

from typer.completion import get_completion_script

HERE = Path(__file__).parent
FILES = {"bash": "xrayaug.bash", "zsh": "_xrayaug", "fish": "xrayaug.fish"}


def script(shell: str) -> str:
    """The script for that shell; it asks `xrayaug` itself what can follow."""
    text = get_completion_script(prog_name="xrayaug", complete_var="_XRAYAUG_COMPLETE", shell=shell)
    return text.strip() + "\n"


if __name__ == "__main__":
    for shell, name in FILES.items():
        (HERE / name).write_text(script(shell), encoding="utf-8")
