"""What is read of a file, and why one is not read, in words for the person."""

MOST_PAGES = 20
#: Kept of a text: as many as of a job description.
MOST_CHARACTERS = 20_000
#: Of a packed file, unpacked. A résumé with photographs has some megabytes.
MOST_UNPACKED_BYTES = 50 * 1_048_576
MOST_PARTS = 2_000

WRONG_TYPE = "wrong-type"
ENCRYPTED = "encrypted"
LONG = "long"
UNPACKED = "unpacked"
EMPTY = "empty"
DAMAGED = "damaged"
SLOW = "slow"
SENTENCES = {
    WRONG_TYPE: "The file is not of the type that was announced.",
    ENCRYPTED: "The file is protected by a password. Please save it without one.",
    LONG: f"The file has more than {MOST_PAGES} pages.",
    UNPACKED: "The file is too large when it is unpacked.",
    EMPTY: "There is no text in the file: is it a scanned picture? Please save it as text or as a text PDF.",
    DAMAGED: "The file is damaged and cannot be read.",
    SLOW: "The file is too complex to be read. Please save it as plain text.",
}


class UnreadableError(Exception):
    """`reason` is a key of `SENTENCES`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
