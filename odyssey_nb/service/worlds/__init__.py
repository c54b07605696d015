"""Worlds: what a streamer paints."""
