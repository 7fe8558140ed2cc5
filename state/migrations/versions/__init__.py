"""One module per migration, in a line without branches."""
