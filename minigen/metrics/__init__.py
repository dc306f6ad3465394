"""Figures that say how good a model is, computed from plain arrays."""

from minigen.metrics.classification import Scores, accuracy, confusion_matrix, precision_recall_f1
from minigen.metrics.ranking import rank_correlation
from minigen.metrics.text import bits_per_character, distinct_n, longest_copy, ngram_overlap, perplexity

__all__ = [
    "accuracy",
    "confusion_matrix",
    "precision_recall_f1",
    "Scores",
    "bits_per_character",
    "distinct_n",
    "longest_copy",
    "ngram_overlap",
    "perplexity",
    "rank_correlation",
]
