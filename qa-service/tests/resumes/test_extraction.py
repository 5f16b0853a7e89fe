"""The text of a résumé, out of friendly and of hostile files."""

import asyncio
import io
import os
import sys
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from qa_service.resumes.extraction import Extractor
from qa_service.resumes.limits import MOST_CHARACTERS, UnreadableError

WORD = b"http://schemas.openxmlformats.org/wordprocessingml/2006/main"
Types = dict[str, str]


class Reader(Extractor):
    """Reads what is there already."""

    async def read(self, media_type: str, content: bytes) -> str:
        async def fetch() -> bytes:
            return content

        return await self.text_of(media_type, fetch)


@pytest.fixture
def extractor() -> Reader:
    return Reader(30.0)


async def test_pages_paragraphs_and_tables_become_text(extractor: Reader, made: Any, media_types: Types) -> None:
    pdf = made.pdf("Ada Lovelace", "Mathematician, caf\xe9")
    assert await extractor.read(media_types["pdf"], pdf) == "Ada Lovelace\n\nMathematician, café"
    word = made.docx("Ada Lovelace", "", "Mathematician", cell="1843: Note G")
    assert await extractor.read(media_types["docx"], word) == "Ada Lovelace\n\nMathematician\n1843: Note G"


async def test_the_text_of_a_box_is_there_and_once(extractor: Reader, made: Any, media_types: Types) -> None:
    compatible = b"http://schemas.openxmlformats.org/markup-compatibility/2006"
    box = b"<w:txbxContent><w:p><w:r><w:t>Skills</w:t></w:r></w:p></w:txbxContent>"
    body = (
        b'<w:document xmlns:w="%s" xmlns:mc="%s"><w:body><w:p><w:r><mc:AlternateContent><mc:Choice Requires="wps">%s'
        b"</mc:Choice><mc:Fallback><w:pict>%s</w:pict></mc:Fallback></mc:AlternateContent></w:r></w:p>"
        b"</w:body></w:document>" % (WORD, compatible, box, box)
    )
    assert await extractor.read(media_types["docx"], made.docx_of(body)) == "Skills"


@pytest.mark.parametrize(
    "content",
    [
        "Café — 1843".encode(),
        b"\xef\xbb\xbf" + "Café — 1843".encode(),
        "Café — 1843".encode("utf-16"),
        "Café — 1843".encode("utf-16-le"),
        "Café — 1843".encode("utf-16-be"),
        "Café — 1843".encode("cp1252"),
    ],
)
async def test_plain_text_is_read_in_the_encoding_that_it_has(
    content: bytes, extractor: Reader, media_types: Types
) -> None:
    assert await extractor.read(media_types["txt"], content) == "Café — 1843"


async def test_text_is_tidied_and_cut(extractor: Reader, media_types: Types) -> None:
    messy = b"  One\t  two\x07\x1b[31m\r\n\r\n\r\n\r\nthree\rfour  "
    assert await extractor.read(media_types["txt"], messy) == "One two[31m\n\nthree\nfour"
    assert len(await extractor.read(media_types["txt"], b"word " * 10_000)) == MOST_CHARACTERS - 1


def _pdf_bomb(made: Any) -> bytes:
    """A page whose content unpacks to 300 MB."""
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(b" " * 2**20) for _ in range(300)) + packer.flush()
    stream = b"<</Length %d/Filter/FlateDecode>>stream\n%s\nendstream" % (len(packed), packed)
    small = made.pdf("x")
    begin = small.index(b"<</Length")
    return bytes(small[:begin] + stream + small[small.index(b"endobj", begin) :])


def _zip_bomb(made: Any) -> bytes:
    return bytes(made.docx_of(b"<!--" + b" " * (60 * 2**20) + b"-->"))


def _lying_zip_bomb(made: Any) -> bytes:
    """It says that it is small."""
    file, size = _zip_bomb(made), (60 * 2**20 + 7).to_bytes(4, "little")
    return file.replace(size, (1000).to_bytes(4, "little"))


def _billion_laughs(made: Any) -> bytes:
    entities = b"".join(b'<!ENTITY a%d "%s">' % (n + 1, b"&a%d;" % n * 10) for n in range(9))
    kind = b'<!DOCTYPE x [<!ENTITY a0 "lol">%s]>' % entities
    body = b'<w:document xmlns:w="%s"><w:body><w:p><w:r><w:t>&a9;</w:t></w:r></w:p></w:body></w:document>' % WORD
    return bytes(made.docx_of(kind + body))


def _outside_file(made: Any) -> bytes:
    """It asks for a file of ours."""
    kind = b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>'
    body = b'<w:document xmlns:w="%s"><w:body><w:p><w:r><w:t>&a;</w:t></w:r></w:p></w:body></w:document>' % WORD
    return bytes(made.docx_of(kind + body))


def _many_parts(_: Any) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for number in range(3_000):
            archive.writestr(str(number), b"")
    return file.getvalue()


def _old_word(_: Any) -> bytes:
    return b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\x00" * 5_000


HOSTILE: dict[str, tuple[str, Callable[[Any], bytes], set[str]]] = {
    "a picture that calls itself a PDF": ("pdf", lambda _: b"\x89PNG\r\n\x1a\n" + b"x" * 3_000, {"wrong-type"}),
    "nothing but the first bytes of a PDF": ("pdf", lambda _: b"%PDF-1.7\n" + b"\x00" * 5_000, {"damaged"}),
    "a PDF with 21 pages": ("pdf", lambda made: made.pdf(*["x"] * 21), {"long"}),
    "a PDF with 10,000 pages": ("pdf", lambda made: made.pdf("x", repeated=10_000), {"long"}),
    "a PDF behind a password": ("pdf", lambda made: made.encrypted_pdf("secret"), {"encrypted"}),
    "a scanned PDF": ("pdf", lambda made: made.pdf(" ", " "), {"empty"}),
    "a PDF that unpacks to 300 MB": ("pdf", _pdf_bomb, {"slow", "damaged", "empty"}),
    "a DOCX that unpacks to 60 MB": ("docx", _zip_bomb, {"unpacked"}),
    "a DOCX that unpacks to 60 MB and denies it": ("docx", _lying_zip_bomb, {"damaged"}),
    "a DOCX of a billion laughs": ("docx", _billion_laughs, {"damaged", "empty", "slow"}),
    "a DOCX that asks for a file of ours": ("docx", _outside_file, {"damaged", "empty"}),
    "a zip of 3,000 parts": ("docx", _many_parts, {"unpacked"}),
    "a zip that is no DOCX": ("docx", lambda _: b"PK\x05\x06" + b"\x00" * 18, {"wrong-type"}),
    "a DOCX behind a password": ("docx", _old_word, {"encrypted"}),
    "a program that calls itself a text": ("txt", lambda _: b"\x7fELF\x02\x01\x01\x00text" * 50, {"wrong-type"}),
    "a text of blanks": ("txt", lambda _: b" \n\t" * 100, {"empty"}),
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_what_cannot_be_read_is_refused_with_its_reason(
    name: str, extractor: Reader, made: Any, media_types: Types
) -> None:
    kind, make, reasons = HOSTILE[name]
    with pytest.raises(UnreadableError) as raised:
        await extractor.read(media_types[kind], make(made))
    assert raised.value.reason in reasons


async def test_a_pdf_that_only_forbids_changes_is_read(extractor: Reader, made: Any, media_types: Types) -> None:
    assert await extractor.read(media_types["pdf"], made.encrypted_pdf("")) == "Behind it."


FAULTY = {
    "hangs": "import time; time.sleep(60)",
    "works for ever": "while True: pass",
    "dies": "import os; os._exit(9)",
    "eats memory": "held = [b'x' * 2**20 for _ in range(4000)]",
    "answers without end": "import sys\nwhile True: sys.stdout.write('x' * 65536)",
    "answers what is no answer": 'print(\'{"problem": "../../etc"}\')',
}


@pytest.mark.parametrize("name", FAULTY)
async def test_a_process_that_goes_wrong_is_over_with_its_file(name: str, tmp_path: Path, media_types: Types) -> None:
    """The part that confines a process is that of the real one; what the parser then does is replaced."""
    script = tmp_path / "faulty.py"
    confined = "import sys; from qa_service.resumes.process import confine; confine(int(sys.argv[2]), int(sys.argv[3]))"
    script.write_text(f"{confined}\n{FAULTY[name]}\n")
    extractor = Reader(1.0, (sys.executable, "-I", str(script)))
    with pytest.raises(UnreadableError, match="slow"):
        await extractor.read(media_types["txt"], b"x" * 2**20)
    mine = psutil.Process(os.getpid()).children(recursive=True)
    assert [child for child in mine if "faulty.py" in " ".join(child.cmdline())] == []


async def test_a_process_knows_no_secret_and_writes_no_file(tmp_path: Path, media_types: Types) -> None:
    script, target = tmp_path / "curious.py", tmp_path / "written"
    script.write_text(
        "import json, os, pathlib, sys\nfrom qa_service.resumes.process import confine\nconfine(5, 2**29)\n"
        "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        f"try:\n pathlib.Path({str(target)!r}).write_text('x')\n told = 'wrote'\nexcept OSError:\n told = 'could not'\n"
        "print(json.dumps({'text': told + ' ' + ' '.join(sorted(os.environ))}))\n"
    )
    told = await Reader(30, (sys.executable, "-I", str(script))).read(media_types["txt"], b"x")
    assert told.split()[:2] == ["could", "not"]
    assert set(told.split()[2:]) <= {"LANG", "LC_CTYPE"}


async def test_only_so_many_files_are_read_at_a_time(tmp_path: Path, media_types: Types) -> None:
    script = tmp_path / "counting.py"
    script.write_text(
        "import json, os, pathlib, sys, time\nhere = pathlib.Path(__file__).parent\n"
        "mine = here / f'{os.getpid()}.running'; mine.touch()\ntime.sleep(0.3)\n"
        "print(json.dumps({'text': str(len(list(here.glob('*.running'))))})); mine.unlink()\n"
    )
    extractor = Reader(30, (sys.executable, "-I", str(script)))
    seen = await asyncio.gather(*(extractor.read(media_types["txt"], b"x") for _ in range(5)))
    assert max(map(int, seen)) == 2
