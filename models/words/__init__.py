"""Models that give every word a vector by the company it keeps."""
