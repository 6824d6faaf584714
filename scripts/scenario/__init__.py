"""Attacks on tool calls as data: runs them in the lab, judges what became of them by the state that
they left, and writes the matrix and the corpus of all of them.
"""
