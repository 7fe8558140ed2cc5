"""The main job, to be watched: both systems simulated, every service at work, and what became of each order."""
