"""Models that give the probability of an image itself, not a bound of it."""
