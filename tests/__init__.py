"""Tests of the whole project: real sockets, real simulators, a real broker."""
