"""Pictures: from image files into packed arrays, and from there to whoever asks for them."""
