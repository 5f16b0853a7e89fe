"""Domain events: their declaration, the log that keeps them, and the projections that are made from it."""
