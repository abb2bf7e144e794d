"""From a first frame and poses to a stream of frames, and to a video file."""
