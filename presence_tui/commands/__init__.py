"""The commands, a file for each family. Each takes the parsed options and returns an exit code."""
