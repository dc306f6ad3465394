"""Figures that say how good a model is, computed from plain arrays."""

from minigen.metrics.classification import Scores, accuracy, confusion_matrix, precision_recall_f1

__all__ = ["accuracy", "confusion_matrix", "precision_recall_f1", "Scores"]
