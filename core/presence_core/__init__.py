"""The presence engine."""
