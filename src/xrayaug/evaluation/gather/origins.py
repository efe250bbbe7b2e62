"""Where the real images of a dataset or an arm come from: the dataset that was prepared, and its raw set."""

from xrayaug.errors import XrayaugError
from xrayaug.storage import artifacts, manifests
from xrayaug.storage.artifacts import Artifact

CAUTION = "labels of "  # beginning of the notes of `prepare` on labels of public sets


def read_input(artifact: Artifact, name: str) -> Artifact | None:
    """Read the manifest of an input; None if the input is not there any more, has changed, or cannot be read."""
    try:
        path = artifact.input(name)
        if not artifacts.is_artifact(path) or artifacts.digest(path) != artifact.manifest["inputs"][name]["sha256"]:
            return None
        return Artifact(path, manifests.read(path / manifests.MANIFEST))
    except (KeyError, XrayaugError, OSError):
        return None


def find_raw_digest(artifact: Artifact) -> str:
    """Return the digest of the raw set that the real images of a dataset or arm come from; empty if it is unknown.

    Raises:
        InputError: a link of the chain cannot be read.
    """
    return str(find_prepared(artifact).manifest["inputs"].get("input", {}).get("sha256", ""))


def find_origin(artifact: Artifact) -> str:
    """Return the digest of the raw set of a dataset or arm; if that is unknown, of the dataset that was prepared.

    Raises:
        InputError: a link of the chain cannot be read.
    """
    return find_raw_digest(artifact) or artifacts.digest(find_prepared(artifact).path)


def find_fingerprint(artifact: Artifact) -> str:
    """Return the fingerprint of the pseudonyms of the patients of a dataset or arm; empty if they have their own names.

    Raises:
        InputError: a link of the chain cannot be read.
    """
    result = find_prepared(artifact).manifest["result"]
    dicom = result.get("dicom") if isinstance(result, dict) else None
    return str(dicom.get("fingerprint", "")) if isinstance(dicom, dict) else ""


def find_cautions(artifact: Artifact) -> list[str]:
    """Return what `prepare` noted of labels to distrust in the raw set of a dataset or arm; empty if it is unknown.

    Raises:
        InputError: a link of the chain cannot be read.
    """
    result = find_prepared(artifact).manifest["result"]
    notes = result.get("notes") if isinstance(result, dict) else None
    return [str(note) for note in notes if str(note).startswith(CAUTION)] if isinstance(notes, list) else []


def find_prepared(artifact: Artifact) -> Artifact:
    """Return the dataset that the real images of an arm come from; a dataset that `augment` did not make is its own."""
    if "real" not in artifact.manifest["inputs"]:
        return artifact
    real = artifact.input("real")
    return find_prepared(Artifact(real, manifests.read(real / manifests.MANIFEST)))
