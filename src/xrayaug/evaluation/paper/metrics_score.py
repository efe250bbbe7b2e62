"""The items and conditions of METRICS, the METhodological RadiomICs Score (Kocak et al. 2024).

Topics are paraphrased from the tool and its explanation (metricsscore.github.io, radiomic.github.io/METRICS-E3, both CC
BY). Its 30 items and 5 conditions were compared with them by number, order, category and subject, and items 1 to 23
with table 1 of the article. Weights are not used, as no score is computed: whether an item is met is a judgement.
"""

from xrayaug.evaluation.paper.answers import data, evaluation, model, results, study
from xrayaug.evaluation.paper.checklist import Checklist, Item

DESIGN, IMAGING, SEGMENTATION = "Study design", "Imaging data", "Segmentation"
EXTRACTION, FEATURES = "Image processing and feature extraction", "Feature processing"
PREPARATION, COMPARISON = "Preparation for modeling", "Metrics and comparison"
TESTING, SCIENCE = "Testing", "Open science"

METRICS = Checklist(
    "metrics",
    "METRICS",
    "Kocak B, Akinci D'Antonoli T, Mercaldo N, et al. METhodological RadiomICs Score (METRICS): a quality scoring tool "
    "for radiomics research endorsed by EuSoMII. Insights into Imaging 2024; 15: 8. doi:10.1186/s13244-023-01572-w",
    (
        Item("1", DESIGN, "A guideline or checklist was followed", study.checklists,
             "whether a checklist was followed in designing the study, and is handed in with the paper"),
        Item("2", DESIGN, "Criteria of inclusion that lead to a representative sample", data.eligibility,
             "the clinical criteria, and whether the sample represents the population"),
        Item("3", DESIGN, "A good reference standard with a clear definition", data.reference_standard,
             "by what the labels were decided"),
        Item("4", IMAGING, "Images of several centres", data.acquisition,
             "the institutions that the images come from"),
        Item("5", IMAGING, "Imaging that follows established standards", None,
             "whether the images were taken by an established standard"),
        Item("6", IMAGING, "Protocol and parameters of acquisition", data.acquisition,
             "the protocol by which images were taken"),
        Item("7", IMAGING, "Time between imaging and reference standard", None,
             "the time between the image and what decided its label"),
        Item("C1", SEGMENTATION, "Condition: is there a segmentation?", model.segmentation_condition),
        Item("C2", SEGMENTATION, "Condition: is the segmentation fully automatic?", model.segmentation_condition),
        Item("8", SEGMENTATION, "Description of the segmentation", model.no_segmentation),
        Item("9", SEGMENTATION, "Evaluation of an automatic segmentation", model.no_segmentation),
        Item("10", SEGMENTATION, "Masks of the test set by one reader or a tool", model.no_segmentation),
        Item("C3", EXTRACTION, "Condition: are there hand-crafted features?", model.pixels_condition),
        Item("11", EXTRACTION, "Suitable and described preprocessing", data.preprocessing,
             "what was done to the images before they were given to xrayaug"),
        Item("12", EXTRACTION, "Standard software for features", model.no_handcrafted_features),
        Item("13", EXTRACTION, "Parameters of feature extraction; of a network its architecture", model.architecture),
        Item("C4", FEATURES, "Condition: is there tabular data?", model.pixels_condition),
        Item("C5", FEATURES, "Condition: is it deep learning from end to end?", model.deep_learning_condition),
        Item("14", FEATURES, "Removal of features that are not robust", model.no_tabular_data),
        Item("15", FEATURES, "Removal of redundant features", model.no_tabular_data),
        Item("16", FEATURES, "Number of features in relation to the data", model.no_tabular_data),
        Item("17", FEATURES, "Robustness of the network, such as to repeated or disturbed images", None,
             "how stable predictions are on repeated or disturbed images; the evaluation has no such test"),
        Item("18", PREPARATION, "Sound partition of the data", data.disjointness),
        Item("19", PREPARATION, "Treatment of confounders", evaluation.confounding,
             "characteristics of patients and sites that differ between the labels"),
        Item("20", COMPARISON, "Suitable metrics, with confusion matrices", evaluation.confusion),
        Item("21", COMPARISON, "Uncertainty", evaluation.uncertainty),
        Item("22", COMPARISON, "Calibration", evaluation.calibration),
        Item("23", COMPARISON, "One kind of image, or a reason for several", model.uniparametric),
        Item("24", COMPARISON, "Comparison with a method that is no radiomics, or proof of clinical value",
             evaluation.readers, "comparison with the diagnoses of readers or with clinical practice"),
        Item("25", COMPARISON, "Comparison with simple models", results.baseline_comparison,
             "comparison with a model that is simpler than a network"),
        Item("26", TESTING, "Internal testing", evaluation.internal_test),
        Item("27", TESTING, "External testing", evaluation.external_test,
             "whether further test sets are of other institutions"),
        Item("28", SCIENCE, "Availability of the data", None, "whether and where the data can be had"),
        Item("29", SCIENCE, "Availability of the code", study.code, "where the code of this study can be had"),
        Item("30", SCIENCE, "Availability of the model", study.specification, "where the weights can be had"),
    ),
)  # fmt: skip
