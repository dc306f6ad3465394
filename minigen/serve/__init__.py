"""A trained run asked over HTTP: `minigen serve FOLDER` (extra `view`: starlette, uvicorn).

fields.py      what may stand in a question: fields with types and limits, from a model's own Request
pictures.py    images out of JSON, and into it
questions.py   what a run can be asked: /predict, /sample, /generate
turns.py       who may ask how often, one computation at a time, and when one is given up
gate.py        who may ask at all, and how much is read of what they send
server.py      all of it behind one address
"""

from minigen.serve.server import Server, serve

__all__ = ["Server", "serve"]
