"""Models that learn by a game of two players: one makes, the other tells what was made from what is real."""
