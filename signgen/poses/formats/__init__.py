"""Files of poses: one module a format, and the one that finds out which format a file has."""
