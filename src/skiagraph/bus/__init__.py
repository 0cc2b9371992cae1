"""Who changed something tells the others: wake-up calls between tasks and processes."""
