"""The one exception of loading a law."""


class LawFileError(ValueError):
    """A file that is no law: the message gives the file, the rule and what was found."""
