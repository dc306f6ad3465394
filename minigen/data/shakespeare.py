"""Shakespeare, embedded: nine plays, 1.1 million characters, in the layout that character models are trained on.

Romeo and Juliet, A Midsummer Night's Dream, The Merchant of Venice, Julius Caesar, Hamlet, Othello, King Lear, Macbeth
and The Tempest, in this order, about that in which they were written. William Shakespeare died in 1616: the plays are
in the public domain. The spelling is that of the modern editions. Changed against their plain texts: what is not spoken
is left out (title pages, lists of persons, headings of acts and scenes, stage directions), and every speech begins with
its speaker's full name, in capitals with a colon, on a line of its own, and ends with an empty line. Spaces at the ends
of lines and a handful of misprints are mended. It is plain ASCII.
"""

from functools import cache
from pathlib import Path

from minigen.data import idx
from minigen.data.limits import read_bytes, unpack

FILE = Path(__file__).parent / "files" / "shakespeare.txt.gz"
SHA256 = "9920eaad1dd936223168fadbffefbc4609664ed5c96932c379be5337309381a3"


@cache
def shakespeare() -> str:
    """Nine plays of Shakespeare as one text, read once in a process. Raises DataError if the file is damaged."""
    raw = unpack(read_bytes(FILE), FILE)
    idx.verify(raw, SHA256, FILE)
    return raw.decode("ascii")
