"""The systems that generate frames: a folder for each, and what all of them share."""
