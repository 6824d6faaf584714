"""What a person has to do something about."""


class Trouble(Exception):
    """One line: what went wrong, and what to do. The program says it and ends with 2."""
