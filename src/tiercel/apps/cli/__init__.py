"""The command line. One command, one file; main.py lists them and says how errors look."""
