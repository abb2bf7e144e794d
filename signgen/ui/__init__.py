"""The browser page of `signgen ui`."""
