"""Models that make images out of noise in many small steps."""
