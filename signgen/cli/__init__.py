"""The command line: `signgen`."""
