"""The only place where tasks, clocks and policy meet."""
