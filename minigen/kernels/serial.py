"""Up to which size one thread is faster than several: starting the others takes some 10 to 20 µs."""

SERIAL_ELEMENTS = 32768  # of an array that is passed over once; products have limits of their own
