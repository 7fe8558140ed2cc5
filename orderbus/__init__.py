"""The composition root: configuration, the table of services, their wiring, and the command line."""
