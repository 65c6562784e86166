"""What inspectors do around listening: take calls, write notes, and see of whom how much was heard."""
