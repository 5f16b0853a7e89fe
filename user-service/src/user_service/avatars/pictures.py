"""What a picture's first bytes say it is, whatever its name or its uploader does."""

#: Bytes that are enough to know.
ENOUGH = 16


def type_of(begin: bytes) -> str | None:
    """The media type of a file that begins so; None: no picture that we take.

    Sources: https://www.w3.org/TR/png-3/#5PNG-file-signature, ITU-T T.81 (JPEG), RFC 9649 section 2.4 (WebP).
    """
    if begin.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if begin.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if begin[:4] == b"RIFF" and begin[8:12] == b"WEBP":
        return "image/webp"
    return None
