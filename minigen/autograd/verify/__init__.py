"""Are the gradients right? gradcheck, the sample calls of every operation, and a table of all of them."""
