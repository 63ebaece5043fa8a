"""Commands of the repository: short shell files, and the Python behind the demo."""
