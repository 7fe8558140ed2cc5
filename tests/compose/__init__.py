"""Tests of the containers: what the compose file says, without a Docker engine."""
