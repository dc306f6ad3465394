"""Scaled dot-product attention. Begin with `attend.py`; the compiled loops are in `loops.py`."""
