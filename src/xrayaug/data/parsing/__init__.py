"""What the columns, cells and names of other people's lists mean: labels, patients, image files."""
