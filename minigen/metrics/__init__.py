"""Figures that say how good a model is, computed from tensors or arrays."""

from minigen.metrics.binary import average_precision, roc_auc
from minigen.metrics.classes import class_balance, class_score
from minigen.metrics.classification import (
    Scores,
    accuracy,
    confusion_matrix,
    precision_recall_f1,
    top_k_accuracy,
)
from minigen.metrics.distances import frechet_distance, kernel_distance
from minigen.metrics.images import psnr, ssim
from minigen.metrics.likelihood import ImportanceBound, bits_per_dimension
from minigen.metrics.neighbours import (
    density_coverage,
    nearest,
    precision_recall,
    precision_recall_density_coverage,
)
from minigen.metrics.ranking import rank_correlation
from minigen.metrics.regression import mean_absolute_error, mean_squared_error, r2_score
from minigen.metrics.text import bits_per_character, distinct_n, longest_copy, ngram_overlap, perplexity

__all__ = [
    "accuracy",
    "top_k_accuracy",
    "confusion_matrix",
    "precision_recall_f1",
    "Scores",
    "bits_per_character",
    "distinct_n",
    "longest_copy",
    "ngram_overlap",
    "perplexity",
    "rank_correlation",
    "ImportanceBound",
    "bits_per_dimension",
    "frechet_distance",
    "kernel_distance",
    "precision_recall",
    "density_coverage",
    "precision_recall_density_coverage",
    "nearest",
    "class_score",
    "class_balance",
    "psnr",
    "ssim",
    "roc_auc",
    "average_precision",
    "mean_squared_error",
    "mean_absolute_error",
    "r2_score",
]
