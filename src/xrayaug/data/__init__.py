"""Raw sets read into datasets, and the images in them."""
