"""Erases a person: finds the messages to a number everywhere, has them deleted, and blanks what is stored."""
