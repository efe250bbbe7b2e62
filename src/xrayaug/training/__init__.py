"""Training of GANs and classifiers, and what both share."""
