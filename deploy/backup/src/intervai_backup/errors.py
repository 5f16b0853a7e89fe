"""What goes wrong in a way that the reader can mend."""


class BackupError(Exception):
    """Its text is the one line to print."""


def one_line(error: BaseException) -> str:
    """An error's text without its line breaks, cut where nobody reads on."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 400 else f"{text[:400]}…"
