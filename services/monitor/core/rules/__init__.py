"""Rules as data, and at work."""
