"""What works on this machine, what does not, and what to do: a room for each subject."""
