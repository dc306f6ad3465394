"""Models that read images and say what is on them."""
