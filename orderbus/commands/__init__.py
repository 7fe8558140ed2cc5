"""The subcommands, a module each, imported only when called: the start of a service pays for no other command."""
