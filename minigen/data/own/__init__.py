"""A user's own images, read from whatever they lie in. `minigen.data.load` is the way in."""
