"""Which files are pictures: by the ends of their names, and to Pillow."""

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".gif", ".webp", ".pgm", ".jp2"})
DICOM_SUFFIXES = frozenset({".dcm", ".dicom"})  # listed, so that decoding refuses them by name

# Named, because Pillow would also hand an .eps that is called .png to Ghostscript.
PILLOW_FORMATS = ("PNG", "JPEG", "TIFF", "BMP", "GIF", "WEBP", "PPM", "JPEG2000")
