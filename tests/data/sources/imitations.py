"""Tiny imitations of public sets: their directories, names, titles of columns and some rows, with pictures of noise.

Titles and rows are those that each source's own docstring cites; the pictures are not of the sets.
"""

import gzip
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from PIL import Image


def draw(root: Path, *files: str, bits: int = 8, size: int = 12) -> None:
    """Write a picture of noise of its own for each file; the suffix decides its format."""
    for file in files:
        path = root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        random = np.random.default_rng([ord(letter) for letter in file])
        pixels = random.integers(0, 2**bits, (size, size)).astype(np.uint16 if bits > 8 else np.uint8)
        Image.fromarray(pixels).save(path)


def write(path: Path, *lines: str) -> None:
    """Write lines of text, compressed where the name ends in .gz."""
    path.parent.mkdir(parents=True, exist_ok=True)
    data = "".join(f"{line}\n" for line in lines).encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)


CHEXPERT_HEADER = (
    "Path,Sex,Age,Frontal/Lateral,AP/PA,No Finding,Enlarged Cardiomediastinum,Cardiomegaly,Lung Opacity,Lung Lesion,"
    "Edema,Consolidation,Pneumonia,Atelectasis,Pneumothorax,Pleural Effusion,Pleural Other,Fracture,Support Devices"
)


def chexpert(root: Path) -> None:
    train = {
        "train/patient00001/study1/view1_frontal.jpg": "Female,68,Frontal,AP,1.0,,,,,,,,,0.0,,,,1.0",
        "train/patient00002/study2/view1_frontal.jpg": "Female,87,Frontal,AP,,,-1.0,1.0,,-1.0,-1.0,,-1.0,,-1.0,,1.0,",
        "train/patient00002/study1/view1_frontal.jpg": "Female,83,Frontal,AP,,,,1.0,,,-1.0,,,,,,1.0,",
        "train/patient00003/study1/view1_frontal.jpg": "Male,41,Frontal,AP,,,,,,1.0,,,,0.0,,,,",
        "train/patient00004/study1/view1_frontal.jpg": "Female,20,Frontal,PA,1.0,0.0,,,,,0.0,,,0.0,0.0,,,",
        "train/patient00004/study1/view2_lateral.jpg": "Female,20,Lateral,,1.0,0.0,,,,,0.0,,,0.0,0.0,,,",
        "train/patient00005/study1/view1_frontal.jpg": "Male,33,Frontal,PA,,,,,,,,,,,,,,1.0",
    }
    valid = {
        "valid/patient64541/study1/view1_frontal.jpg": (
            "Male,73,Frontal,AP,0.0,1.0,0.0,1.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0"
        ),
        "valid/patient64542/study1/view1_frontal.jpg": (
            "Male,70,Frontal,PA,1.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0"
        ),
    }
    for name, rows in (("train", train), ("valid", valid)):
        lines = [f"CheXpert-v1.0-small/{path},{cells}" for path, cells in rows.items()]
        write(root / f"CheXpert-v1.0-small/{name}.csv", CHEXPERT_HEADER, *lines)
        draw(root / "CheXpert-v1.0-small", *rows)


MIMIC_HEADER = (
    "subject_id,study_id,Atelectasis,Cardiomegaly,Consolidation,Edema,Enlarged Cardiomediastinum,Fracture,Lung Lesion,"
    "Lung Opacity,No Finding,Pleural Effusion,Pleural Other,Pneumonia,Pneumothorax,Support Devices"
)
MIMIC_METADATA = (
    "dicom_id,subject_id,study_id,PerformedProcedureStepDescription,ViewPosition,Rows,Columns,StudyDate,StudyTime,"
    "ProcedureCodeSequence_CodeMeaning,ViewCodeSequence_CodeMeaning,PatientOrientationCodeSequence_CodeMeaning"
)
MIMIC_IMAGES = (  # dicom_id, subject, study, view, split
    ("02aa804e-bde0afdd-112c0b34-7bc16630-4e384014", "10000032", "50414267", "PA", "train"),
    ("174413ec-4ec4c1f7-34ea26b7-c5f994f8-79ef1962", "10000032", "50414267", "LATERAL", "train"),
    ("2a2277a9-b0ded155-c0de8eb9-c124d10e-82c5caab", "10000764", "57375967", "AP", "validate"),
    ("e084de3b-be89b11e-20fe3f9f-9c8d8dfe-4cfd202c", "10000898", "50771383", "AP", "test"),
    ("68b5c4b1-227d0485-9cc38c3f-7b84ab51-4b472714", "10000935", "50578979", "AP", "train"),
)


def mimic_cxr_jpg(root: Path) -> None:
    write(
        root / "mimic-cxr-2.0.0-chexpert.csv.gz",
        MIMIC_HEADER,
        "10000032,50414267,,,,,,,,,1.0,,,,,",
        "10000764,57375967,,,1.0,,,,,,,,,-1.0,,",
        "10000898,50771383,,,,,,,,,1.0,,,,,",
        "10000935,50578979,,-1.0,,,,,,,,,,,,1.0",
    )
    rows = [
        f"{image},{subject},{study},CHEST (PA AND LAT),{view},3056,2544,21800506,213014.531,CHEST,PA,Erect"
        for image, subject, study, view, _ in MIMIC_IMAGES
    ]
    write(root / "mimic-cxr-2.0.0-metadata.csv.gz", MIMIC_METADATA, *rows)
    splits = [f"{image},{study},{subject},{split}" for image, subject, study, _, split in MIMIC_IMAGES]
    write(root / "mimic-cxr-2.0.0-split.csv.gz", "dicom_id,study_id,subject_id,split", *splits)
    draw(root, *(f"files/p10/p{subject}/s{study}/{image}.jpg" for image, subject, study, _, _ in MIMIC_IMAGES))


NIH_HEADER = (
    "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,"
    "OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y]"
)


def nih_chestxray14(root: Path) -> None:
    write(
        root / "Data_Entry_2017_v2020.csv",
        NIH_HEADER,
        "00000001_000.png,Cardiomegaly,0,1,57,M,PA,2682,2749,0.14300000000000002,0.14300000000000002",
        "00000001_001.png,Cardiomegaly|Emphysema,1,1,58,M,PA,2894,2729,0.14300000000000002,0.14300000000000002",
        "00000001_002.png,Cardiomegaly|Effusion,2,1,58,M,PA,2500,2048,0.168,0.168",
        "00000002_000.png,No Finding,0,2,80,M,PA,2500,2048,0.171,0.171",
        "00000003_001.png,Hernia,0,3,74,F,AP,2500,2048,0.168,0.168",
    )
    write(root / "train_val_list.txt", "00000001_000.png", "00000001_001.png", "00000001_002.png", "00000002_000.png")
    write(root / "test_list.txt", "00000003_001.png")
    draw(root, *(f"images_001/images/00000001_00{number}.png" for number in range(3)))
    draw(root, "images_001/images/00000002_000.png", "images_002/images/00000003_001.png")


VINDR_FINDINGS = (
    "Aortic enlargement,Atelectasis,Calcification,Cardiomegaly,Clavicle fracture,Consolidation,Edema,Emphysema,"
    "Enlarged PA,ILD,Infiltration,Lung Opacity,Lung cavity,Lung cyst,Mediastinal shift,Nodule/Mass,"
    "Pleural effusion,Pleural thickening,Pneumothorax,Pulmonary fibrosis,Rib fracture,Other lesion,COPD,Lung tumor,"
    "Pneumonia,Tuberculosis"
)
VINDR_READERS = (  # image, reader, the findings that the reader names
    ("50a418190bc3fb1ef1633bf9678929b3", "R11", ()),
    ("50a418190bc3fb1ef1633bf9678929b3", "R15", ()),
    ("50a418190bc3fb1ef1633bf9678929b3", "R16", ()),
    ("9a5094b2563a1ef3ff50dc5c7ff71345", "R10", ("Cardiomegaly", "Aortic enlargement")),
    ("9a5094b2563a1ef3ff50dc5c7ff71345", "R8", ("Cardiomegaly",)),
    ("9a5094b2563a1ef3ff50dc5c7ff71345", "R9", ()),
    ("051132a778e61a86eb147c7c6f564dfe", "R10", ("Aortic enlargement",)),
    ("051132a778e61a86eb147c7c6f564dfe", "R8", ("Cardiomegaly",)),
    ("051132a778e61a86eb147c7c6f564dfe", "R9", ()),
)


def vindr_line(named: tuple[str, ...]) -> str:
    """Return the codes of a line: one for each finding, one for the others, and one for none."""
    return ",".join([*(str(int(name in named)) for name in VINDR_FINDINGS.split(",")), "0", str(int(not named))])


def vindr_cxr(root: Path) -> None:
    rows = [f"{image},{reader},{vindr_line(named)}" for image, reader, named in VINDR_READERS]
    write(
        root / "annotations/image_labels_train.csv",
        f"image_id,rad_id,{VINDR_FINDINGS},Other diseases,No finding",
        *rows,
    )
    test = {"002a34c58c5b758217ed1f584ccbcfe9": (), "004f33259ee4aef671c2b95d54e4be68": ("Cardiomegaly",)}
    write(
        root / "annotations/image_labels_test.csv",
        f"image_id,{VINDR_FINDINGS},Other disease,No finding",
        *(f"{image},{vindr_line(named)}" for image, named in test.items()),
    )
    draw(root, *sorted({f"train/{image}.png" for image, _, _ in VINDR_READERS}), *(f"test/{name}.png" for name in test))


def rsna_pneumonia(root: Path) -> None:
    targets = {
        "0004cfab-14fd-4e49-80ba-63a80b6bddd6": [",,,,0"],
        "003d8fa0-6bf1-40ed-b54c-ac657f8495c5": [",,,,0"],
        "00436515-870c-4b36-a041-de91049b9ab4": ["264.0,152.0,213.0,379.0,1", "562.0,152.0,256.0,453.0,1"],
    }
    classes = ("No Lung Opacity / Not Normal", "Normal", "Lung Opacity")
    write(
        root / "stage_2_train_labels.csv",
        "patientId,x,y,width,height,Target",
        *(f"{name},{box}" for name, boxes in targets.items() for box in boxes),
    )
    lines = [f"{name},{kind}" for (name, boxes), kind in zip(targets.items(), classes, strict=True) for _ in boxes]
    write(root / "stage_2_detailed_class_info.csv", "patientId,class", *lines)
    draw(root, *(f"stage_2_train_images/{name}.png" for name in targets))


PADCHEST_HEADER = (
    ",ImageID,ImageDir,StudyDate_DICOM,StudyID,PatientID,PatientBirth,PatientSex_DICOM,ViewPosition_DICOM,Projection,"
    "MethodProjection,Pediatric,Modality_DICOM,Manufacturer_DICOM,ReportID,Report,MethodLabel,Labels,Localizations,"
    "LabelsLocalizationsBySentence"
)
PADCHEST_ROWS = (  # image, directory, patient, projection, method, labels
    ("20536686640136348236148679891455886468_k6ga29.png", "0", "839860488694292331637988235681460987", "PA",
     "Physician", "['normal']"),
    ("216840111366964012283393834152009026160348352_00-001-123.png", "0", "12442818340552181602159354", "PA",
     "RNN_model", "['pleural effusion', ' cardiomegaly']"),
    ("216840111366964012283393834152009026160348352_00-001-124.png", "1", "12442818340552181602159354", "L",
     "RNN_model", "['pleural effusion', ' cardiomegaly']"),
    ("135803415504923515076821959678074435083_fzis7b.png", "1", "3136930757953811573195969", "PA",
     "Physician", "['exclude']"),
    ("1234_broken.png", "1", "41", "AP_horizontal", "Physician", "['unchanged', 'normal']"),
    ("4321_unsaid.png", "1", "42", "PA", "Physician", ""),
)  # fmt: skip


def padchest(root: Path) -> None:
    lines = [
        f"{number},{image},{folder},20140915,{number}1,{patient},1930.0,F,POSTEROANTERIOR,{view},Manual review,No,CR,"
        f'ImagingDynamicsCompanyLtd,4765777,"sin hallazgos, edad",{method},"{labels}",[],"[]"'
        for number, (image, folder, patient, view, method, labels) in enumerate(PADCHEST_ROWS)
    ]
    write(root / "PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv.gz", PADCHEST_HEADER, *lines)
    draw(root, *(f"{folder}/{image}" for image, folder, *_ in PADCHEST_ROWS), bits=16)


def grazpedwri_dx(root: Path) -> None:
    rows = {
        "0001_1297860395_01_WRI-L1_M014": "1,1,1297860395,M,14.1,L,1,1,23r-M/2.1,,,,,,0.144,Siemens",
        "0001_1297860435_01_WRI-L2_M014": "1,1,1297860435,M,14.1,L,2,1,23r-M/2.1,,,,1,,0.144,Siemens",
        "0002_0354485735_01_WRI-R1_F012": "2,1,0354485735,F,12,R,1,1,,,1,,1,,0.144,Siemens",
        "0003_0662359226_01_WRI-R1_F009": "3,1,0662359226,F,9,R,1,1,,1,,,,1,0.144,Agfa",
        "0004_0662359351_01_WRI-R1_F009": "4,1,0662359351,F,9,R,1,1,,,,,,,0.144,Agfa",
    }
    write(
        root / "dataset.csv",
        "filestem,patient_id,study_number,timehash,gender,age,laterality,projection,initial_exam,ao_classification,cast,"
        "diagnosis_uncertain,osteopenia,fracture_visible,metal,pixel_spacing,device_manufacturer",
        *(f"{name},{cells}" for name, cells in rows.items()),
    )
    draw(root, *(f"images_part1/{name}.png" for name in rows), bits=16)


def fracatlas(root: Path) -> None:
    rows = {
        "IMG0000000.jpg": "0,1,0,0,0,0,0,0,0,1,1,0",
        "IMG0000001.jpg": "1,0,0,0,0,1,0,0,0,1,0,0",
        "IMG0000002.jpg": "1,0,0,0,0,0,1,1,2,1,0,1",
    }
    write(
        root / "dataset.csv",
        "image_id,hand,leg,hip,shoulder,mixed,hardware,multiscan,fractured,fracture_count,frontal,lateral,oblique",
        *(f"{name},{cells}" for name, cells in rows.items()),
    )
    draw(root, "images/Non_fractured/IMG0000000.jpg", "images/Non_fractured/IMG0000001.jpg")
    draw(root, "images/Fractured/IMG0000002.jpg")
    write(root / "Utilities/Fracture Split/train.csv", "image_id", "IMG0000002.jpg")


def shenzhen(root: Path) -> None:
    draw(root, *(f"CXR_png/CHNCXR_{name}.png" for name in ("0001_0", "0002_0", "0327_1")))
    draw(root, "mask/CHNCXR_0001_0_mask.png")
    write(root / "ClinicalReadings/CHNCXR_0001_0.txt", "male 45yrs", "normal")


def montgomery(root: Path) -> None:
    draw(root, *(f"CXR_png/MCUCXR_{name}.png" for name in ("0001_0", "0104_1", "0108_1")))
    draw(root, *(f"ManualMask/{side}Mask/MCUCXR_0001_0.png" for side in ("left", "right")))
    write(root / "ClinicalReadings/MCUCXR_0001_0.txt", "Patient's Sex: F", "Patient's Age: 027Y", "normal")


def covid_radiography(root: Path) -> None:
    for folder in ("COVID", "Lung_Opacity", "Normal", "Viral Pneumonia"):
        for number in (1, 2):
            for kind in ("images", "masks"):
                draw(root, f"COVID-19_Radiography_Dataset/{folder}/{kind}/{folder}-{number}.png")


def chest_xray_pneumonia(root: Path) -> None:
    draw(
        root,
        "chest_xray/train/NORMAL/IM-0115-0001.jpeg",
        "chest_xray/train/NORMAL/NORMAL2-IM-0635-0001.jpeg",
        "chest_xray/train/PNEUMONIA/person3_bacteria_10.jpeg",
        "chest_xray/train/PNEUMONIA/person3_bacteria_11.jpeg",
        "chest_xray/val/NORMAL/NORMAL2-IM-1427-0001.jpeg",
        "chest_xray/val/PNEUMONIA/person1946_bacteria_4874.jpeg",
        "chest_xray/test/NORMAL/IM-0001-0001.jpeg",
        "chest_xray/test/PNEUMONIA/person1_virus_6.jpeg",
    )


def knee_kl(root: Path) -> None:
    draw(root, "train/0/9001695L.png", "train/1/9001695R.png", "train/2/9002116R.png", "train/4/9007827L.png")
    draw(root, "val/0/9006723L.png", "test/0/9003175L.png", "test/3/9429101R.png", "auto_test/0/9003175L.png")


CBIS_HEADER = (
    "patient_id,{density},left or right breast,image view,abnormality id,abnormality type,mass shape,mass margins,"
    "assessment,pathology,subtlety,image file path,cropped image file path,ROI mask file path"
)


def cbis_ddsm(root: Path) -> None:
    uid = "1.3.6.1.4.1.9590.100.1.2"
    rows = {
        "mass_case_description_train_set.csv": (
            ("P_00001", "LEFT", "CC", "1", "Mass-Training_P_00001_LEFT_CC", "MALIGNANT"),
            ("P_00004", "LEFT", "CC", "1", "Mass-Training_P_00004_LEFT_CC", "BENIGN"),
            ("P_00004", "LEFT", "CC", "2", "Mass-Training_P_00004_LEFT_CC", "MALIGNANT"),
            ("P_00009", "RIGHT", "MLO", "1", "Mass-Training_P_00009_RIGHT_MLO", "BENIGN_WITHOUT_CALLBACK"),
        ),
        "mass_case_description_test_set.csv": (("P_00016", "LEFT", "CC", "1", "Mass-Test_P_00016_LEFT_CC", "BENIGN"),),
        "calc_case_description_test_set.csv": (("P_00038", "LEFT", "CC", "1", "Calc-Test_P_00038_LEFT_CC", "BENIGN"),),
    }
    for name, lines in rows.items():
        density = "breast density" if name.startswith("calc") else "breast_density"
        write(
            root / name,
            CBIS_HEADER.format(density=density),
            *(
                f"{patient},3,{side},{view},{number},mass,OVAL,ILL_DEFINED,4,{pathology},4,"
                f'{case}/{uid}.1/{uid}.2/000000.dcm,"{case}_{number}/{uid}.3/{uid}.4/000001.dcm\n",'
                f'"{case}_{number}/{uid}.3/{uid}.4/000000.dcm\n"'
                for patient, side, view, number, case, pathology in lines
            ),
        )
        for *_, case, _ in lines:
            draw(root, f"CBIS-DDSM/{case}/07-20-2016-DDSM-NA-74994/1.000000-full mammogram images-24515/1-1.png")
            draw(root, f"CBIS-DDSM/{case}_1/07-20-2016-DDSM-NA-74994/1.000000-ROI mask images-24515/1-2.png")


MAKERS: Mapping[str, Callable[[Path], None]] = {
    "cbis-ddsm": cbis_ddsm,
    "chest-xray-pneumonia": chest_xray_pneumonia,
    "chexpert": chexpert,
    "covid-radiography": covid_radiography,
    "fracatlas": fracatlas,
    "grazpedwri-dx": grazpedwri_dx,
    "knee-kl": knee_kl,
    "mimic-cxr-jpg": mimic_cxr_jpg,
    "montgomery": montgomery,
    "nih-chestxray14": nih_chestxray14,
    "padchest": padchest,
    "rsna-pneumonia": rsna_pneumonia,
    "shenzhen": shenzhen,
    "vindr-cxr": vindr_cxr,
}
