"""Training: the loop and what it reads and writes."""
