"""Work on rows and single elements: one pass over memory each. Begin with `cuts.py`, how an array is shared out.

cuts.py     runs, blocks and strips of arrays
scalar.py   exp, log1p, erfc of one float32;  leaky.py   leaky ReLU of one number
elementwise, bias, losses, normalization, mask, pooling, embedding, optimizer: the kernels
"""
