"""The messaging runtime: the only package that knows the broker."""
