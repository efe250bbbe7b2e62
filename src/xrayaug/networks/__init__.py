"""Network architectures: classifiers, feature extractors and GANs."""
