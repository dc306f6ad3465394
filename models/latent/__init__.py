"""Models that explain data by a few hidden numbers z, and learn to guess them."""
