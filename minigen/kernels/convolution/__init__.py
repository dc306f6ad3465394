"""Convolution and its two adjoints. Begin with `conv2d.py`, which chooses between the ways below.

plan.py, gather.py     as matrix products, whose rows are gathered from the image where they lie
winograd.py            by minimal filtering, with fewer multiplications; its loops, maps and matrices beside it
"""
