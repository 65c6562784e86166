"""Figures of a whole recording, computed from the facts that the engine made of it, with exact arithmetic."""
