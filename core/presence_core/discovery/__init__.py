"""Hints of whom to dial; never trusted."""
