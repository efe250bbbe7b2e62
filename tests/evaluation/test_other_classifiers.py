"""The worked examples of docs/how-to/other-classifiers.md run as they stand, on small exported arms."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from builders import arm_of

import xrayaug
from xrayaug.evaluation import verdict
from xrayaug.evaluation.results import Evaluation
from xrayaug.options import Export
from xrayaug.stages import export

MakeDataset = Callable[..., Path]  # conftest's fixture
PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "other-classifiers.md"
BLOCKS = {
    title: "\n".join(re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL))
    for title, text in re.findall(
        r"^## (scikit-learn|timm or torchvision|MONAI)\n(.*?)(?=^## |\Z)", PAGE.read_text(encoding="utf-8"),
        re.MULTILINE | re.DOTALL,
    )
}  # fmt: skip


@pytest.fixture(scope="module")
def names(make_dataset: MakeDataset, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The names that the first example defines, run in a directory with two exported arms."""
    home = tmp_path_factory.mktemp("exports")
    for name, added in (("000", 0), ("010", 4)):
        data = make_dataset(home / f"arm-{name}", synthetic=added, studies=5, result={"arm": arm_of(10.0, added)})
        export.run(Export(data=data, format="csv", out=home / "exports" / name))
    defined: dict[str, Any] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        exec(BLOCKS["scikit-learn"], defined)
    return defined | {"home": home}


def without_download(code: str) -> str:
    """Return code that starts from random weights in place of those that it would download."""
    changed = code.replace("pretrained=True", "pretrained=False")
    assert changed != code
    return changed


def check_judged(evaluation: Evaluation) -> None:
    """Check that two networks of each arm were trained and judged."""
    assert [(run.arm_name, run.seed) for run in evaluation.runs] == [("000", 0), ("000", 1), ("010", 0), ("010", 1)]
    assert all(run.scores["image"].auroc is not None for run in evaluation.runs)
    assert evaluation.verdict.arms[0].difference is not None


def test_the_page_has_every_example() -> None:
    assert set(BLOCKS) == {"scikit-learn", "timm or torchvision", "MONAI"}
    assert all(BLOCKS.values())


def test_scikit_learn(names: dict[str, Any]) -> None:
    evaluation = names["evaluation"]
    assert evaluation == xrayaug.judge(names["predictions"], baseline="000")
    assert [(arm.arm, arm.baseline) for arm in evaluation.verdict.arms] == [("010", "000")]
    assert evaluation.verdict.arms[0].verdict in verdict.DISPLAY_NAMES
    assert [run.scores["image"].auroc for run in evaluation.runs] == [1.0] * 6  # bright and dark pictures


def test_timm(names: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("timm")
    monkeypatch.chdir(names["home"])
    defined = dict(names)
    exec(without_download(BLOCKS["timm or torchvision"]), defined)
    check_judged(defined["evaluation"])


def test_torchvision(names: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """The network that the page names takes three channels and gives one logit."""
    import torchvision

    assert 'torchvision.models.resnet18(weights="DEFAULT")' in PAGE.read_text(encoding="utf-8")
    monkeypatch.chdir(names["home"])
    model = torchvision.models.resnet18(weights=None)
    model.fc = torch.nn.Linear(512, 1)
    tested, _, _ = names["read"]("exports/000", "test")
    with torch.inference_mode():
        assert model.eval()(torch.from_numpy(tested)[:, None].repeat(1, 3, 1, 1)).shape == (len(tested), 1)


def test_monai(names: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("timm")  # which the block that defines `compare` imports
    pytest.importorskip("monai")
    monkeypatch.chdir(names["home"])
    defined = dict(names)
    functions, _, _ = without_download(BLOCKS["timm or torchvision"]).rpartition("evaluation = ")
    exec(functions, defined)
    exec(BLOCKS["MONAI"], defined)
    check_judged(defined["evaluation"])
    assert defined["evaluation"] != names["evaluation"]
