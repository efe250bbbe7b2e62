"""Answers on the data: their sources, selection and preparation, labels, partitions and sizes."""

from xrayaug.evaluation.paper import descriptions, result_descriptions
from xrayaug.evaluation.paper.answers.sources import in_arms, in_datasets, in_evaluation, in_manifest, needs_study
from xrayaug.evaluation.paper.checklist import Finding
from xrayaug.evaluation.paper.facts import ACQUISITION, CLASSIFIER, DEMOGRAPHIC, PaperFacts, StudyFacts
from xrayaug.evaluation.paper.files import FLOW_FILE


@needs_study
def data_sources(facts: PaperFacts, study: StudyFacts) -> Finding:
    """Return the datasets, their layouts and sizes."""
    lines = descriptions.describe_datasets(study)
    lines += [descriptions.describe_synthetic(each) for each in study.synthetic if each.learnt_from is not None]
    return Finding(lines, in_datasets(study.datasets, "options.source", "result.images", "result.patients"))


@needs_study
def eligibility(facts: PaperFacts, study: StudyFacts) -> Finding:
    """Return what selected images, and which raw files were left out."""
    lines = [line for each in study.datasets for line in descriptions.describe_selection(each)]
    skipped = [f"{each.path}/skipped.csv" for each in study.datasets]
    return Finding(lines, [*in_datasets(study.datasets, "options"), *skipped])


@needs_study
def preprocessing(facts: PaperFacts, study: StudyFacts) -> Finding:
    """Return how images were prepared, and checked for duplicates."""
    lines = [descriptions.describe_preparation(each) for each in study.datasets]
    lines += [descriptions.describe_dicom(each) for each in study.datasets]
    lines += [descriptions.describe_duplicates(each) for each in study.datasets]
    lines.append(f"Classifiers read all images at {study.classifier.settings.get('size')} pixels.")
    sources = in_datasets(study.datasets, "options", "result.duplicates", "result.near_copies")
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
            lines.append(descriptions.describe_identifiers(data))
    return Finding(lines, in_datasets(study.datasets, "result.dicom"))


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
    return Finding(lines, in_datasets(study.datasets, "result.labels", "result.patients_unknown"))


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
    return Finding(lines, in_datasets(study.datasets, "result.labels", "result.notes"))


@needs_study
def partition(facts: PaperFacts, study: StudyFacts) -> Finding:
    """Return how images were assigned to splits."""
    lines = [line for data in study.datasets for line in descriptions.describe_partition(data)]
    lines += result_descriptions.find_checks(facts.evaluation, "synthetic in test", "real images")
    return Finding(lines, [*in_datasets(study.datasets, "options", "result.counts"), in_evaluation(facts)])


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
    return Finding(lines, [*in_datasets(study.datasets, *keys), in_evaluation(facts)])


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
    return Finding([*lines, *size.sentences], [*in_datasets(study.datasets, "result.counts"), *size.sources])


@needs_study
def flow(facts: PaperFacts, study: StudyFacts) -> Finding:
    """Return the numbers included and left out, and where the diagram is."""
    parts = [eligibility(facts), partition(facts)]
    lines = [f"The flow diagram is {FLOW_FILE}.", *(line for part in parts for line in part.sentences)]
    return Finding(lines, [source for part in parts for source in part.sources])
