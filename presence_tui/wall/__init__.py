"""The dashboard as a wall display: in a browser, by textual-serve."""
