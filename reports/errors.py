"""What reading or writing results can refuse."""


class ReportError(Exception):
    """A refused store or report; its text is the one line that the user needs."""
