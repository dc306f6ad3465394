"""Exercises of the course (docs/course): functions to fill in, and what checks them.

Each lesson has a module of its own, lesson_NN.py, which is found by its name. It holds the answers; the file that a
reader fills in is made of their signatures and docstrings (`exercise.py`), and is checked against them (`checking.py`).
"""
