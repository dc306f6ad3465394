"""A step without Python: noted once, then repeated from the notes.

    @mg.record
    def step(x, y):
        loss = mg.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

The first two calls with arguments of new shapes run as they are, while notes are taken (`notes.py`); then the list is
laid out in memory and repeated once from the same start, and every bit is compared (`tape.py`). From then on a call
goes through the list. What a list can not know is noticed and said, and the step runs as before (`watch.py`).
"""

from minigen.recording.step import record as record
