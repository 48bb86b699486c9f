"""Pure functions from presence graphs to what a screen shows; no Textual."""
