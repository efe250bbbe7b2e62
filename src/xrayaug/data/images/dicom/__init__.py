"""DICOM radiographs: their headers, their pixels and what of both is kept."""
