"""What comes from outside is hostile, and what must not get out stays in."""
