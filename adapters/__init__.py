"""The systems at the edges of the bus; each sub-package knows one of them and imports no other."""
