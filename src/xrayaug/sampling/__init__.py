"""Drawing images from a trained generator, and rejecting some."""
