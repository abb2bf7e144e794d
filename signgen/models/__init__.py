"""The networks of FPDM, their sizes and their folders."""
