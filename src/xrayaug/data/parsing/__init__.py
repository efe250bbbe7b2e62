"""Parsing of raw sets: directories, lists, and the labels, patients and image files that they name."""
