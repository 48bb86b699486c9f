"""The panes and tables of the screens."""
