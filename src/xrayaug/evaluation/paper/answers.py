"""Answers to items of checklists: each a function of the facts, with the manifests that it was taken from.

A function returns nothing where no manifest holds the answer; the item is then left to the authors.
"""

from collections.abc import Callable, Sequence

from xrayaug.evaluation.paper import descriptions, result_descriptions
from xrayaug.evaluation.paper.checklist import Finding
from xrayaug.evaluation.paper.facts import (
    ACQUISITION,
    CLASSIFIER,
    DEMOGRAPHIC,
    OTHER_TEST,
    DatasetFacts,
    PaperFacts,
    StudyFacts,
)
from xrayaug.evaluation.paper.files import DIRECTORY, FAILURES_CSV, FAILURES_PICTURE, FLOW_FILE
from xrayaug.storage.manifests import MANIFEST

OWN = "own"  # name of the test set of the runs' own dataset
VERDICT, PREDICTIONS = "verdict.json", "predictions.csv"


def needs_study(answer: Callable[[PaperFacts, StudyFacts], Finding]) -> Callable[[PaperFacts], Finding]:
    """Return an answer that is given only if the study behind the evaluation is known."""

    def answer_if_known(facts: PaperFacts) -> Finding:
        return Finding() if facts.study is None else answer(facts, facts.study)

    return answer_if_known


def in_manifest(path: str, *keys: str) -> str:
    """Return the place of values in a manifest, as it is shown."""
    return f"{path}/{MANIFEST}: {', '.join(keys)}"


def in_evaluation(facts: PaperFacts, name: str = VERDICT) -> str:
    """Return the place of a file of the evaluation, as it is shown."""
    return f"{facts.path}/{name}"


def in_arms(study: StudyFacts, *keys: str) -> list[str]:
    """Return the place of values in the manifests of the first run of each arm, as it is shown."""
    others = "; the same of the first run of every other arm" if len(study.arms) > 1 else ""
    return [f"{in_manifest(study.arms[0].run, *keys)}{others}"]


def _of_datasets(datasets: Sequence[DatasetFacts], *keys: str) -> list[str]:
    return [in_manifest(each.path, *keys) for each in datasets]


@needs_study
def technology(facts: PaperFacts, study: StudyFacts) -> Finding:
    """Return the kinds of network."""
    gans = list(dict.fromkeys(each.generator for each in study.synthetic))
    lines = [f"Deep learning: image classifiers of the architecture `{study.classifier.settings.get('arch')}`."]
    lines += (
        [f"Synthetic images of the generators {descriptions.join([f'`{name}`' for name in gans])}."] if gans else []
    )
    sources = [
        in_manifest(study.classifier.run, "options.arch"),
        *(in_manifest(each.path, "result") for each in study.synthetic),
    ]
    return Finding(lines, sources)


def objectives(facts: PaperFacts) -> Finding:
    """Return the question that is judged, and what is compared."""
    evaluation = facts.evaluation
    lines = [result_descriptions.describe_question(facts), result_descriptions.describe_comparison(evaluation)]
    return Finding(lines, [in_evaluation(facts)])


@needs_study
def data_sources(facts: PaperFacts, study: StudyFacts) -> Finding:
    """Return the datasets, their layouts and sizes."""
    lines = descriptions.describe_datasets(study)
    lines += [descriptions.describe_synthetic(each) for each in study.synthetic if each.learnt_from is not None]
    return Finding(lines, _of_datasets(study.datasets, "options.source", "result.images", "result.patients"))


@needs_study
def eligibility(facts: PaperFacts, study: StudyFacts) -> Finding:
    """Return what selected images, and which raw files were left out."""
    lines = [line for each in study.datasets for line in descriptions.describe_selection(each)]
    skipped = [f"{each.path}/skipped.csv" for each in study.datasets]
    return Finding(lines, [*_of_datasets(study.datasets, "options"), *skipped])


@needs_study
def preprocessing(facts: PaperFacts, study: StudyFacts) -> Finding:
    """Return how images were prepared, and checked for duplicates."""
    lines = [descriptions.describe_preparation(each) for each in study.datasets]
    lines += [descriptions.describe_duplicates(each) for each in study.datasets]
    lines.append(f"Classifiers read all images at {study.classifier.settings.get('size')} pixels.")
    sources = _of_datasets(study.datasets, "options", "result.duplicates", "result.near_copies")
    return Finding(lines, [*sources, in_manifest(study.classifier.run, "options.size")])


@needs_study
def subsets(facts: PaperFacts, study: StudyFacts) -> Finding:
    """Return which part of the images each arm was trained on."""
    shares = ", ".join(f"{each:g}" for each in sorted({arm.real_fraction for arm in study.arms}))
    line = f"Shares of the real training images that the arms were trained on: {shares}."
    return Finding([line], in_arms(study, "result.arm.real_fraction"))


@needs_study
def deidentification(facts: PaperFacts, study: StudyFacts) -> Finding:
    """Return how identifiers in DICOM headers were treated."""
    lines = []
    for data in study.datasets:
        if data.is_drawn:
            lines.append(f"`{data.name}`: drawn practice images, of no patient.")
        elif data.dicom is not None:
            kept = {name: data.dicom.get(name) for name in ("images", "identifiers", "burned_in") if name in data.dicom}
            lines.append(f"`{data.name}`: DICOM headers; {descriptions.describe_settings(kept)}.")
    return Finding(lines, _of_datasets(study.datasets, "result.dicom"))


@needs_study
def missing_data(facts: PaperFacts, study: StudyFacts) -> Finding:
    """Return what became of images without a label, and of unknown patients; nothing is imputed."""
    lines = []
    for data in study.datasets:
        left_out = descriptions.describe_left_out_labels(data)
        lines.append(f"`{data.name}`: {left_out or 'no image was left out for its label'}.")
        if data.patients_unknown:
            unknown = descriptions.count(data.patients_unknown, "image")
            lines.append(f"`{data.name}`: the patient of {unknown} is unknown; each counts as a patient of its own.")
    lines.append("No value was imputed.")
    return Finding(lines, _of_datasets(study.datasets, "result.labels", "result.patients_unknown"))


@needs_study
def acquisition(facts: PaperFacts, study: StudyFacts) -> Finding:
    """Return the columns of the index that describe the acquisition."""
    return _characteristics(study, ACQUISITION)


@needs_study
def characteristics(facts: PaperFacts, study: StudyFacts) -> Finding:
    """Return demographic columns by split, and the labels by split."""
    found = _characteristics(study, DEMOGRAPHIC)
    lines = [line for data in study.datasets for line in descriptions.describe_partition(data)]
    lines += found.sentences or ["No column of an index tells age, sex or other characteristics of patients."]
    lines += [
        f"`{data.name}` has further columns: {', '.join(f'`{name}`' for name in data.other_columns)}."
        for data in study.datasets
        if data.other_columns
    ]
    return Finding(lines, [f"{data.path}/index.csv" for data in study.datasets])


def _characteristics(study: StudyFacts, group: str) -> Finding:
    lines = [
        descriptions.describe_characteristic(data, one)
        for data in study.datasets
        for one in data.characteristics
        if one.group == group
    ]
    return Finding(lines, [f"{data.path}/index.csv" for data in study.datasets])


@needs_study
def reference_standard(facts: PaperFacts, study: StudyFacts) -> Finding:
    """Return how labels were read, and what is known to distrust in them."""
    lines = [descriptions.describe_labels(data) for data in study.datasets]
    lines += [f"`{data.name}`: {note}." for data in study.datasets for note in data.cautions]
    return Finding(lines, _of_datasets(study.datasets, "result.labels", "result.notes"))


@needs_study
def partition(facts: PaperFacts, study: StudyFacts) -> Finding:
    """Return how images were assigned to splits."""
    lines = [line for data in study.datasets for line in descriptions.describe_partition(data)]
    lines += result_descriptions.find_checks(facts.evaluation, "synthetic in test", "real images")
    return Finding(lines, [*_of_datasets(study.datasets, "options", "result.counts"), in_evaluation(facts)])


@needs_study
def disjointness(facts: PaperFacts, study: StudyFacts) -> Finding:
    """Return the level at which splits are disjoint, and the checks for leaks."""
    lines = [
        f"`{data.name}`: the unit of the split is the {data.split_by}; "
        f"{descriptions.count(data.patients_in_two_splits, 'patient')} had images in two splits."
        for data in study.datasets
        if data.split_by and data.patients_in_two_splits is not None
    ]
    lines += [descriptions.describe_duplicates(data) for data in study.datasets]
    names = ("patients", "generator, test", "generator, validation", "copies of test images")
    lines += result_descriptions.find_checks(facts.evaluation, *names)
    keys = ("result.split_by", "result.patients_in_two_splits", "result.near_copies")
    return Finding(lines, [*_of_datasets(study.datasets, *keys), in_evaluation(facts)])


def size_of_test_set(facts: PaperFacts) -> Finding:
    """Return the size of the test set, and what difference it could have shown."""
    evaluation = facts.evaluation
    lines = [f"Test set: {result_descriptions.describe_test(evaluation.test)}."]
    return Finding([*lines, *result_descriptions.describe_reach(evaluation)], [in_evaluation(facts)])


@needs_study
def sample_sizes(facts: PaperFacts, study: StudyFacts) -> Finding:
    """Return the numbers of images in training, validation and testing."""
    size = size_of_test_set(facts)
    lines = [line for data in study.with_role(CLASSIFIER) for line in descriptions.describe_partition(data)]
    return Finding([*lines, *size.sentences], [*_of_datasets(study.datasets, "result.counts"), *size.sources])


@needs_study
def model(facts: PaperFacts, study: StudyFacts) -> Finding:
    """Return the architectures of classifiers and generators."""
    lines = [descriptions.describe_classifier(study.classifier)]
    lines += [line for gan in study.gans for line in descriptions.describe_gan(gan)[:1]]
    lines += [descriptions.describe_synthetic(each) for each in study.synthetic if each.learnt_from is not None]
    sources = [in_manifest(study.classifier.run, "options", "result.parameters")]
    return Finding(lines, [*sources, *(in_manifest(gan.path, "result") for gan in study.gans)])


def software(facts: PaperFacts) -> Finding:
    """Return versions of packages, and devices."""
    where = "evaluation and everything that it was made from" if facts.study else "evaluation"
    return Finding(descriptions.describe_environments(facts), [f"{MANIFEST} of the {where}: environment"])


@needs_study
def initialization(facts: PaperFacts, study: StudyFacts) -> Finding:
    """Return the initial weights and the seeds."""
    weights = study.classifier.settings.get("weights")
    known = f"The initial weights of the classifiers are `{weights}`." if weights is not None else ""
    lines = [known, result_descriptions.describe_seeds(facts.evaluation)]
    lines += [
        f"GAN `{gan.path}`: random weights of seed {gan.options.get('seed')}."
        for gan in study.gans
        if "init" not in gan.options
    ]
    sources = [in_manifest(study.classifier.run, "options.weights", "options.seed")]
    return Finding(lines, [*sources, *(in_manifest(gan.path, "options.seed") for gan in study.gans)])


@needs_study
def training(facts: PaperFacts, study: StudyFacts) -> Finding:
    """Return how classifiers and generators were trained, and on which images."""
    lines = descriptions.describe_training(study.classifier)
    baselines = [each.baseline for each in facts.evaluation.verdict.arms]
    lines += [descriptions.describe_arm(arm, baselines) for arm in study.arms]
    lines += descriptions.describe_controls(study.arms)
    lines += result_descriptions.describe_generators(facts.evaluation)
    lines += [line for gan in study.gans for line in descriptions.describe_gan(gan)]
    lines += [descriptions.describe_synthetic(each) for each in study.synthetic]
    lines += [descriptions.describe_screening(each) for each in study.screenings]
    sources = in_arms(study, "options", "result.train")
    paths = [gan.path for gan in study.gans]
    paths += [each.path for each in study.synthetic] + [each.path for each in study.screenings]
    return Finding(lines, [*sources, *(in_manifest(path, "options", "result") for path in paths)])


@needs_study
def model_selection(facts: PaperFacts, study: StudyFacts) -> Finding:
    """Return which weights were kept."""
    line = descriptions.describe_model_selection(study.classifier)
    return Finding([line], [in_manifest(study.classifier.run, "result.best_epoch")])


@needs_study
def ensembling(facts: PaperFacts, study: StudyFacts) -> Finding:
    """Return that predictions of networks are not combined."""
    return Finding(not_applicable="no ensemble: every network is scored by itself, and scores are averaged over seeds")


def metrics(facts: PaperFacts) -> Finding:
    """Return the scores, and which of them decides."""
    lines = result_descriptions.describe_statistics(facts)
    named = (
        "accuracy, balanced accuracy, kappa, AUROC, average precision, sensitivity, specificity, F1, Brier score and "
    )
    return Finding(
        [lines[0], f"Also given: {named}calibration error.", *lines[-2:]],
        [in_evaluation(facts), in_evaluation(facts, "metrics.json")],
    )


def uncertainty(facts: PaperFacts) -> Finding:
    """Return the intervals, tests and corrections."""
    lines = result_descriptions.describe_statistics(facts)
    return Finding([*lines, result_descriptions.describe_seeds(facts.evaluation)], [in_evaluation(facts)])


def robustness(facts: PaperFacts) -> Finding:
    """Return what was varied: seeds, control arms, and the checks of the comparison."""
    evaluation = facts.evaluation
    lines = [result_descriptions.describe_seeds(evaluation)]
    lines += result_descriptions.describe_controls(evaluation.verdict)
    lines += [result_descriptions.describe_check(check) for check in evaluation.verdict.checks]
    lines += result_descriptions.describe_audits(evaluation)
    return Finding(lines, [in_evaluation(facts), in_evaluation(facts, "metrics.json")])


def internal_test(facts: PaperFacts) -> Finding:
    """Return the results on the test images of the runs' own dataset."""
    evaluation = facts.evaluation
    if evaluation.others is not None and evaluation.others.primary != OWN:
        own = [line for line in result_descriptions.describe_other_sets(evaluation) if f"`{OWN}`" in line]
        return Finding(own, [in_evaluation(facts)])
    lines = [f"Test images: {result_descriptions.describe_test(evaluation.test)}."]
    lines += result_descriptions.describe_arms(evaluation.verdict)
    return Finding(lines, [in_evaluation(facts)])


@needs_study
def external_test(facts: PaperFacts, study: StudyFacts) -> Finding:
    """Return the results on further test sets."""
    evaluation = facts.evaluation
    lines = [line for line in result_descriptions.describe_other_sets(evaluation) if f"`{OWN}`" not in line]
    if evaluation.others is not None and evaluation.others.primary != OWN:
        main = f"Test set `{evaluation.others.primary}`, whose verdict counts"
        lines.insert(0, f"{main}: {result_descriptions.describe_test(evaluation.test)}.")
        lines += result_descriptions.describe_arms(evaluation.verdict)
    if not lines:
        return Finding(["No further test set was evaluated."], [in_manifest(facts.path, "options", "inputs")])
    used = [f"`{each.name}`" for each in study.with_role(OTHER_TEST)]
    lines.append(f"Datasets that were prepared apart from the training images: {descriptions.join(used)}.")
    return Finding(lines, [in_evaluation(facts)])


@needs_study
def flow(facts: PaperFacts, study: StudyFacts) -> Finding:
    """Return the numbers included and left out, and where the diagram is."""
    parts = [eligibility(facts), partition(facts)]
    lines = [f"The flow diagram is {FLOW_FILE}.", *(line for part in parts for line in part.sentences)]
    return Finding(lines, [source for part in parts for source in part.sources])


def performance(facts: PaperFacts) -> Finding:
    """Return the scores of every arm with intervals, the differences, and subgroups."""
    evaluation = facts.evaluation
    level = evaluation.verdict.question.level
    lines = [result_descriptions.describe_scores(arm, level) for arm in evaluation.arms]
    lines += result_descriptions.describe_arms(evaluation.verdict)
    lines += result_descriptions.describe_subgroups(evaluation)
    return Finding(lines, [in_evaluation(facts, "metrics.json"), in_evaluation(facts)])


def accuracy(facts: PaperFacts) -> Finding:
    """Return sensitivity, specificity and AUROC with intervals, also at the threshold chosen on validation."""
    evaluation = facts.evaluation
    level = evaluation.verdict.question.level
    lines = [result_descriptions.describe_scores(arm, level) for arm in evaluation.arms]
    lines += [result_descriptions.describe_chosen(arm, level) for arm in evaluation.arms]
    return Finding(lines, [in_evaluation(facts, "metrics.json")])


def failure_analysis(facts: PaperFacts) -> Finding:
    """Return how many test images fail, where they are shown, and the confusion matrices."""
    shown = f", and the worst are pictured in {FAILURES_PICTURE}" if facts.is_pictured else ""
    lines = [
        f"{descriptions.count(facts.failures, 'test image')} of {facts.evaluation.test.images:,} are called wrong by a "
        f"baseline or an arm, on the mean of its seeds; they are listed in {FAILURES_CSV}{shown}.",
        *result_descriptions.describe_confusion(facts.evaluation, facts.evaluation.verdict.question.level),
    ]
    return Finding(lines, [in_evaluation(facts, PREDICTIONS), in_evaluation(facts, "metrics.json")])


def limitations(facts: PaperFacts) -> Finding:
    """Return the checks that failed or are unknown, and what was noted when the data were read."""
    evaluation = facts.evaluation
    lines = [result_descriptions.describe_check(check) for check in result_descriptions.list_open_checks(evaluation)]
    lines += result_descriptions.describe_earlier(evaluation)
    datasets = facts.study.datasets if facts.study else []
    lines += [f"`{data.name}`: {line}." for data in datasets for line in data.cautions]
    lines += [f"{line}." for line in (facts.study.gone if facts.study else [])]
    return Finding(lines, [in_evaluation(facts), *_of_datasets(datasets, "result.notes")])


def protocol(facts: PaperFacts) -> Finding:
    """Return where the commands of the study are."""
    line = "The commands behind the evaluation, with all their settings, are under Provenance in report.html."
    sequential = facts.evaluation.verdict.sequential
    planned = f"The looks were planned beforehand; the plan has the sha256 {sequential.plan}." if sequential else ""
    return Finding([line, planned], [in_evaluation(facts, "report.html")])


def code(facts: PaperFacts) -> Finding:
    """Return the versions of the code."""
    return Finding(descriptions.describe_environments(facts), software(facts).sources)


@needs_study
def class_imbalance(facts: PaperFacts, study: StudyFacts) -> Finding:
    """Return the labels of the training images, and the check of label shift."""
    baselines = [each.baseline for each in facts.evaluation.verdict.arms]
    lines = [descriptions.describe_arm(arm, baselines) for arm in study.arms]
    lines += result_descriptions.find_checks(facts.evaluation, "label shift")
    sources = in_arms(study, "result.train", "result.class_weights")
    return Finding([*descriptions.describe_training(study.classifier)[:1], *lines], [*sources, in_evaluation(facts)])


def fairness(facts: PaperFacts) -> Finding:
    """Return the subgroups that were scored."""
    lines = result_descriptions.describe_subgroups(facts.evaluation)
    return Finding(lines or ["No subgroup was scored."], [in_evaluation(facts, "metrics.json")])


@needs_study
def predictors(facts: PaperFacts, study: StudyFacts) -> Finding:
    """Return that the pixels are the only input."""
    size = study.classifier.settings.get("size")
    line = f"The only input of the classifiers is the image: one channel of grey at {size} pixels."
    return Finding([line], [in_manifest(study.classifier.run, "options.size")])


def output(facts: PaperFacts) -> Finding:
    """Return what classifiers put out, and the thresholds."""
    lines = result_descriptions.describe_statistics(facts)
    known = [line for line in lines if "abnormal above" in line or "calibrated" in line]
    return Finding(["The output is the probability of the label abnormal.", *known], [in_evaluation(facts)])


def calibration(facts: PaperFacts) -> Finding:
    """Return the calibration of each arm."""
    level = facts.evaluation.verdict.question.level
    lines = [result_descriptions.describe_calibration(arm, level) for arm in facts.evaluation.arms]
    lines += [line for line in result_descriptions.describe_statistics(facts) if "calibrated" in line]
    return Finding(lines, [in_evaluation(facts, "metrics.json")])


@needs_study
def prediction(facts: PaperFacts, study: StudyFacts) -> Finding:
    """Return how predictions are computed."""
    line = "Each network was applied to every test image; its probabilities are in predictions.csv of the evaluation."
    return Finding([line, descriptions.describe_classifier(study.classifier)], [in_evaluation(facts, PREDICTIONS)])


@needs_study
def specification(facts: PaperFacts, study: StudyFacts) -> Finding:
    """Return where the trained networks are."""
    line = "The weights of every classifier are in weights.safetensors of its run; `xrayaug predict` applies them."
    return Finding(
        [line, descriptions.describe_classifier(study.classifier)], [in_manifest(study.classifier.run, "files")]
    )


@needs_study
def confounding(facts: PaperFacts, study: StudyFacts) -> Finding:
    """Return the checks and controls that separate the added images from other effects."""
    evaluation = facts.evaluation
    names = ("label shift", "budget", "shortcut", "recipe", "real images", "acquisition")
    lines = result_descriptions.find_checks(evaluation, *names)
    lines += result_descriptions.describe_controls(evaluation.verdict)
    return Finding(lines, [in_evaluation(facts)])


@needs_study
def uniparametric(facts: PaperFacts, study: StudyFacts) -> Finding:
    """Return that images of one channel are read."""
    return Finding(
        ["One kind of image is read: single-channel images, each by itself."],
        [in_manifest(study.classifier.run, "options")],
    )


def baseline_comparison(facts: PaperFacts) -> Finding:
    """Return the comparison with the baseline and the controls, which are trained without synthetic images."""
    lines = [
        *result_descriptions.describe_arms(facts.evaluation.verdict),
        *result_descriptions.describe_controls(facts.evaluation.verdict),
    ]
    return Finding(lines, [in_evaluation(facts)])


def readers(facts: PaperFacts) -> Finding:
    """Return that readers told real from synthetic images, which is no comparison of diagnoses."""
    if not facts.has_readers:
        return Finding()
    line = "Human readers told real from synthetic images; their scores are in reader.json. They did not diagnose."
    return Finding([line], [in_evaluation(facts, "reader.json")])


@needs_study
def no_segmentation(facts: PaperFacts, study: StudyFacts) -> Finding:
    """Return that there is no segmentation."""
    return Finding(not_applicable="xrayaug segments no image; answer this if images were cut out or masked beforehand")


@needs_study
def no_handcrafted_features(facts: PaperFacts, study: StudyFacts) -> Finding:
    """Return that classifiers use no hand-crafted features."""
    return Finding(not_applicable="no hand-crafted features: the classifiers read pixels")


@needs_study
def no_tabular_data(facts: PaperFacts, study: StudyFacts) -> Finding:
    """Return that there is no tabular data."""
    frozen = study.classifier.settings.get("train", "all") != "all"
    unchanged = "; the features of frozen layers are used as they are" if frozen else ""
    return Finding(not_applicable=f"no tabular data: the classifiers read pixels{unchanged}")


@needs_study
def segmentation_condition(facts: PaperFacts, study: StudyFacts) -> Finding:
    """Return the answer to a condition on segmentation."""
    return Finding(["No: xrayaug segments no image."], [in_manifest(study.classifier.run, "options")])


@needs_study
def pixels_condition(facts: PaperFacts, study: StudyFacts) -> Finding:
    """Return the answer to a condition on features that are not learnt."""
    return Finding(["No: the classifiers read pixels."], [in_manifest(study.classifier.run, "options")])


@needs_study
def deep_learning_condition(facts: PaperFacts, study: StudyFacts) -> Finding:
    """Return the answer to the condition on deep learning from end to end."""
    part = study.classifier.settings.get("train", "all")
    trained = "all layers were trained" if part == "all" else f"trained layers: `{part}`, of a pretrained network"
    return Finding(
        [f"Yes: a network turns pixels into a probability; {trained}."], [in_manifest(study.classifier.run, "options")]
    )


@needs_study
def no_updating(facts: PaperFacts, study: StudyFacts) -> Finding:
    """Return that no model was updated after testing."""
    return Finding(not_applicable="no network was changed after it was tested")


@needs_study
def no_assessors(facts: PaperFacts, study: StudyFacts) -> Finding:
    """Return that no person assesses what the classifiers read."""
    return Finding(not_applicable="the classifiers read pixels, which nobody has to interpret")


def checklists(facts: PaperFacts) -> Finding:
    """Return which checklists are filled."""
    return Finding(["CLAIM, TRIPOD+AI and METRICS are filled beside this file."], [f"{facts.path}/{DIRECTORY}"])


def confusion(facts: PaperFacts) -> Finding:
    """Return the scores that are given, with the confusion matrix of every run."""
    found = metrics(facts)
    level = facts.evaluation.verdict.question.level
    lines = [*found.sentences, *result_descriptions.describe_confusion(facts.evaluation, level)]
    return Finding(lines, found.sources)


def other_sets(facts: PaperFacts) -> Finding:
    """Return the results on further test sets, the only clusters that are known."""
    lines = result_descriptions.describe_other_sets(facts.evaluation)
    return Finding(lines, [in_evaluation(facts)] if lines else [])
