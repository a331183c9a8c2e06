"""The words of tiercel: frozen records and the error tree. Standard library only."""
