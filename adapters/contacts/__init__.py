"""The bus's own directory of contact persons."""
