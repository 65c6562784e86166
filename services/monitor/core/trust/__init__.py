"""What makes the board worth believing: evidence, age, order, ghosts, clocks."""
