"""Networks learning: a GAN, a classifier, and what both need for it."""
