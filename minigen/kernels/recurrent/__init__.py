"""Recurrent layers over whole sequences. Begin with `layers.py`; what a worker does at each step is in `cells.py`.

layers.py   rnn, lstm, gru and their gradients
walk.py     how a worker goes through the steps: what all cells have in common
cells.py    what each cell does with a row at one step
"""
