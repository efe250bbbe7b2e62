"""Answers on the networks: what they are, how they were trained, what they read and put out."""

from xrayaug.evaluation.paper import descriptions, result_descriptions
from xrayaug.evaluation.paper.answers.sources import PREDICTIONS, in_arms, in_evaluation, in_manifest, needs_study
from xrayaug.evaluation.paper.checklist import Finding
from xrayaug.evaluation.paper.facts import PaperFacts, StudyFacts


@needs_study
def architecture(facts: PaperFacts, study: StudyFacts) -> Finding:
    """Return the architectures of classifiers and generators."""
    lines = [descriptions.describe_classifier(study.classifier)]
    lines += [line for gan in study.gans for line in descriptions.describe_gan(gan)[:1]]
    lines += [descriptions.describe_synthetic(each) for each in study.synthetic if each.learnt_from is not None]
    sources = [in_manifest(study.classifier.run, "options", "result.parameters")]
    return Finding(lines, [*sources, *(in_manifest(gan.path, "result") for gan in study.gans)])


@needs_study
def initialization(facts: PaperFacts, study: StudyFacts) -> Finding:
    """Return the initial weights and the seeds."""
    weights = study.classifier.settings.get("weights")
    known = f"The initial weights of the classifiers are `{weights}`." if weights is not None else ""
    lines = [known, result_descriptions.describe_seeds(facts.evaluation)]
    lines += [descriptions.describe_start(gan, study) for gan in study.gans]
    sources = [in_manifest(study.classifier.run, "options.weights", "options.seed")]
    keys = {gan.path: ("options.seed", *(["inputs.init"] if gan.init else [])) for gan in study.gans}
    return Finding(lines, [*sources, *(in_manifest(path, *names) for path, names in keys.items())])


@needs_study
def training(facts: PaperFacts, study: StudyFacts) -> Finding:
    """Return how classifiers and generators were trained, and on which images."""
    lines = descriptions.describe_training(study.classifier)
    baselines = [each.baseline for each in facts.evaluation.verdict.arms]
    lines += [descriptions.describe_arm(arm, baselines) for arm in study.arms]
    lines += descriptions.describe_controls(study.arms)
    lines += result_descriptions.describe_own_sources(facts.evaluation)
    lines += [line for gan in study.gans for line in descriptions.describe_gan(gan)]
    lines += descriptions.describe_starts(study)
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


@needs_study
def class_imbalance(facts: PaperFacts, study: StudyFacts) -> Finding:
    """Return the labels of the training images, and the check of label shift."""
    baselines = [each.baseline for each in facts.evaluation.verdict.arms]
    lines = [descriptions.describe_arm(arm, baselines) for arm in study.arms]
    lines += result_descriptions.find_checks(facts.evaluation, "label shift")
    sources = in_arms(study, "result.train", "result.class_weights")
    return Finding([*descriptions.describe_training(study.classifier)[:1], *lines], [*sources, in_evaluation(facts)])


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


@needs_study
def prediction(facts: PaperFacts, study: StudyFacts) -> Finding:
    """Return how predictions are computed."""
    line = "Each network was applied to every test image; its probabilities are in predictions.csv of the evaluation."
    return Finding([line, descriptions.describe_classifier(study.classifier)], [in_evaluation(facts, PREDICTIONS)])


@needs_study
def no_assessors(facts: PaperFacts, study: StudyFacts) -> Finding:
    """Return that no person assesses what the classifiers read."""
    return Finding(not_applicable="the classifiers read pixels, which nobody has to interpret")


@needs_study
def no_updating(facts: PaperFacts, study: StudyFacts) -> Finding:
    """Return that no model was updated after testing."""
    return Finding(not_applicable="no network was changed after it was tested")


@needs_study
def uniparametric(facts: PaperFacts, study: StudyFacts) -> Finding:
    """Return that images of one channel are read."""
    return Finding(
        ["One kind of image is read: single-channel images, each by itself."],
        [in_manifest(study.classifier.run, "options")],
    )


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
