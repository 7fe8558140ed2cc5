"""The canonical messages, their envelope and their contract; imports nothing else of this project."""
