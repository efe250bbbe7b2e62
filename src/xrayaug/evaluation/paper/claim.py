"""The items of CLAIM 2024, the Checklist for Artificial Intelligence in Medical Imaging (Tejani et al. 2024).

Topics are paraphrased. All 44 items were compared, by number, order, section and subject, with a form of the checklist
that has its wording (a site of explanations titled CLAIM 2024 Items), and with a summary whose authors say that they
compared it with the article item by item (the repository Aperivue/medsci-skills). The article itself was not at hand.
"""

from xrayaug.evaluation.paper.answers import data, evaluation, model, results, study
from xrayaug.evaluation.paper.checklist import Checklist, Item

TITLE, INTRODUCTION, DESIGN = "Title and abstract", "Introduction", "Methods: study design"
DATA, REFERENCE, PARTITIONS = "Methods: data", "Methods: reference standard", "Methods: data partitions"
TESTING, MODEL, TRAINING = "Methods: testing data", "Methods: model", "Methods: training"
EVALUATION, RESULTS_DATA = "Methods: evaluation", "Results: data"
RESULTS, DISCUSSION, OTHER = "Results: model performance", "Discussion", "Other information"

CLAIM = Checklist(
    "claim",
    "CLAIM 2024",
    "Tejani AS, Klontzas ME, Gatti AA, et al. Checklist for Artificial Intelligence in Medical Imaging (CLAIM): 2024 "
    "Update. Radiology: Artificial Intelligence 2024; 6(4): e240300. doi:10.1148/ryai.240300",
    (
        Item("1", TITLE, "The title says that this is a study of AI, and of which kind", study.technology,
             "the title"),
        Item("2", TITLE, "A structured abstract of design, methods, results and conclusions", None,
             "the abstract; methods.md and verdict.json have its numbers"),
        Item("3", INTRODUCTION, "Clinical and scientific background, and the role meant for the model", None,
             "the clinical and scientific background, the intended use and the role of the classifier in care"),
        Item("4", INTRODUCTION, "Aims, objectives and hypotheses", study.objectives,
             "the hypotheses, and whether they were fixed before the results were known"),
        Item("5", DESIGN, "Whether the study is prospective or retrospective", None,
             "whether images were collected for this study (prospective) or before it (retrospective)"),
        Item("6", DESIGN, "The goal of the study", study.objectives,
             "the clinical task that the classifier is meant for"),
        Item("7", DATA, "Where the data come from", data.data_sources,
             "institutions, dates and licences of the raw images, and links to public sets"),
        Item("8", DATA, "Criteria by which cases were included and excluded", data.eligibility,
             "the clinical criteria by which patients and examinations got into the raw set"),
        Item("9", DATA, "Preprocessing of the data", data.preprocessing,
             "what was done to the images before they were given to xrayaug"),
        Item("10", DATA, "Selection of subsets of the data", data.subsets,
             "any selection before the images were given to xrayaug, and who made it"),
        Item("11", DATA, "De-identification", data.deidentification,
             "how images and labels were de-identified, and by which standard"),
        Item("12", DATA, "Treatment of missing data", data.missing_data,
             "examinations and clinical data that are missing from the raw set, and the bias that this may cause"),
        Item("13", DATA, "Protocol of image acquisition", data.acquisition,
             "devices, views, exposure and resolution with which the images were taken"),
        Item("14", REFERENCE, "Definition of the reference standard", data.reference_standard,
             "by what the labels were decided: reports, readings, follow-up or other examinations"),
        Item("15", REFERENCE, "Reasons for this reference standard", None,
             "why this reference standard was chosen, and its errors"),
        Item("16", REFERENCE, "Who made the annotations", None,
             "number, training and experience of those who labelled"),
        Item("17", REFERENCE, "Annotation of the test set", None,
             "how the labels of the test images were made, if differently from others, and with which tools"),
        Item("18", REFERENCE, "Agreement between and within annotators", None,
             "agreement between readers and of readers with themselves, and how disagreement was settled"),
        Item("19", PARTITIONS, "Assignment of data to partitions", data.partition),
        Item("20", PARTITIONS, "Level at which partitions are disjoint", data.disjointness),
        Item("21", TESTING, "Intended size of the test set", data.size_of_test_set,
             "how the size of the test set was planned beforehand"),
        Item("22", MODEL, "Description of the model", model.architecture),
        Item("23", MODEL, "Software with versions", study.software),
        Item("24", MODEL, "Initial parameters of the model", model.initialization),
        Item("25", TRAINING, "Details of training", model.training),
        Item("26", TRAINING, "Selection of the final model", model.model_selection),
        Item("27", TRAINING, "Ensembles", model.ensembling),
        Item("28", EVALUATION, "Metrics of performance", evaluation.metrics),
        Item("29", EVALUATION, "Measures of uncertainty and significance", evaluation.uncertainty),
        Item("30", EVALUATION, "Analyses of robustness or sensitivity", evaluation.robustness),
        Item("31", EVALUATION, "Methods of explanation", None,
             "methods that explain predictions, and how these were validated; the evaluation has none"),
        Item("32", EVALUATION, "Testing on internal data", evaluation.internal_test),
        Item("33", EVALUATION, "Testing on external data", evaluation.external_test,
             "of which institutions further test sets are, or why there is no external test"),
        Item("34", EVALUATION, "Registration of a clinical trial", None,
             "the registration, if the study is a clinical trial"),
        Item("35", RESULTS_DATA, "Numbers of patients or examinations that were included and excluded", data.flow,
             "numbers from before the raw set"),
        Item("36", RESULTS_DATA, "Demographic and clinical characteristics by partition", data.characteristics,
             "characteristics of the patients that no column of the index tells"),
        Item("37", RESULTS, "Performance with its uncertainty", results.performance),
        Item("38", RESULTS, "Estimates of diagnostic accuracy and their precision", results.accuracy),
        Item("39", RESULTS, "Analysis of cases that were classified wrongly", results.failure_analysis,
             "what the cases that fail have in common, seen by a radiologist"),
        Item("40", DISCUSSION, "Limitations", study.limitations,
             "limitations of the data, the design and the generality of the results"),
        Item("41", DISCUSSION, "Implications for practice", None,
             "implications for practice, and what stands in the way"),
        Item("42", OTHER, "Full protocol, or further technical details", study.protocol,
             "where the protocol can be read, if there is one"),
        Item("43", OTHER, "Availability of software, model and data", study.code,
             "where code, weights and data can be had, and on which conditions"),
        Item("44", OTHER, "Funding and the role of funders", None, "sources of funding and the role of the funders"),
    ),
)  # fmt: skip
