"""The main job, through separate processes on a real broker."""
