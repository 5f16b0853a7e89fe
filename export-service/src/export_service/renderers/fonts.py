"""The fonts of a PDF: typst's own and those of a package, never the machine's, so that every replica sets alike."""

import struct
import unicodedata
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from noto_cjk_sans_otc import FONT_PATH  # type: ignore[import-untyped]

if TYPE_CHECKING:
    import typst

Range = tuple[int, int]
_SERIF, _MONO = "Libertinus Serif", "DejaVu Sans Mono"
#: Named one by one, since typst's own search for a font that has a character costs some milliseconds each time.
_OTHERS = (_MONO, "New Computer Modern", "New Computer Modern Math", _SERIF)
#: OpenType 1.9, 'cmap': the platform and encoding of a table of 32-bit characters.
_FULL_UNICODE = (3, 10)
#: What stands for a character that no font has (Unicode, 'Specials').
REPLACEMENT = "\ufffd"
#: The characters of typst's fonts (Libertinus Serif, New Computer Modern, DejaVu Sans Mono; typst-assets), first and
#: last of each range in hexadecimal; without private use. A test compares it with what typst sets.
_TYPST = """
    20-7E A0-377 37A-37F 384-38A 38C 38E-3A1 3A3-4FF 510-513 51A-51D 531-58A 58D-58F 591-5C7 5D0-5EA 5EF-5F5 5F7
    606-60C 615 61B 61F 621-63A 640-655 65A 660-66D 674 679-67B 67E-680 683-684 686-687 691 698 6A4 6A9 6AF 6BE 6CC
    6F0-6F9 900-97F E3F E81-E82 E84 E87-E88 E8A E8D E94-E97 E99-E9F EA1-EA3 EA5 EA7 EAA-EAB EAD-EB9 EBB-EBC EC8-ECD
    10D0-10FF 13A0-13F5 13F8-13FD 1AB0-1ACE 1D00-1F15 1F18-1F1D 1F20-1F45 1F48-1F4D 1F50-1F57 1F59 1F5B 1F5D
    1F5F-1F7D 1F80-1FB4 1FB6-1FC4 1FC6-1FD3 1FD6-1FDB 1FDD-1FEF 1FF2-1FF4 1FF6-1FFE 2000-2027 2029 202F-2064
    2070-2071 2074-208E 2090-209C 20A0-20C0 20D0-20F0 2100-2151 2153-2184 2189 2190-23FF 2422-2423 2460-262F
    2638-268B 2690-269C 26A0-26A7 26AA-26B2 2701-2704 2706-2709 270C-2727 2729-274B 274D 274F-2752 2756 2758-275E
    2761-277F 2794 2798-27AF 27B1-27BE 27C0-2B73 2B76-2B95 2B97-2BFF 2C60-2CF3 2CF9-2CFF 2E02-2E05 2E08-2E0A
    2E17-2E18 2E1F 2E22-2E25 2E2E 3012 3016-3017 301A-301B 3030 3036 306E A46A-A46B A640-A641 A648-A649 A656-A657
    A708-A716 A71B-A727 A72D A730 A735 A765 A789-A78E A790-A791 A793 A7AA A7F8-A7F9 AB52 AB66 AB70-ABBF FB00-FB06
    FB13-FB17 FB1D-FB4F FB52-FB81 FB8A-FB95 FB9E-FB9F FBAA-FBAD FBE8-FBE9 FBFC-FBFF FE00-FE01 FE20-FE2F FE66
    FE70-FE74 FE76-FEFC FEFF FFF9-FFFD 10140-1018E 102E0-102FB 1D106-1D107 1D400-1D454 1D456-1D49C 1D49E-1D49F 1D4A2
    1D4A5-1D4A6 1D4A9-1D4AC 1D4AE-1D4B9 1D4BB 1D4BD-1D4C3 1D4C5-1D505 1D507-1D50A 1D50D-1D514 1D516-1D51C
    1D51E-1D539 1D53B-1D53E 1D540-1D544 1D546 1D54A-1D550 1D552-1D6A5 1D6A8-1D7CB 1D7CE-1D7FF 1EE00-1EE22 1EE24
    1EE27 1EE29-1EE32 1EE34-1EE37 1EE39 1EE3B 1EE42 1EE47 1EE49 1EE4B 1EE4D-1EE4F 1EE51-1EE52 1EE54 1EE57 1EE59
    1EE5B 1EE5D 1EE5F 1EE61-1EE62 1EE64 1EE67-1EE6A 1EE6C-1EE72 1EE74-1EE77 1EE79-1EE7C 1EE7E-1EE89 1EE8B-1EE9B
    1EEA1-1EEA3 1EEA5-1EEA9 1EEAB-1EEBB 1EEF0-1EEF1 1F12F 1F6D1 1F780-1F7D8 1F7E0-1F7EB 1F7FF-1F80B 1F810-1F847
    1F850-1F859 1F860-1F887 1F890-1F8AD 1F8B0-1F8BB 1F8C0-1F8C1 1F8D0-1F8D8
"""


@dataclass(frozen=True)
class Fonts:
    """`book` is what typst chooses from; `text` and `code`: names of families, the first that has a character sets it;
    `missing`: the characters of the text that none has."""

    book: "typst.Fonts"
    text: Sequence[str]
    code: Sequence[str]
    missing: frozenset[str]

    def shown(self, text: str) -> str:
        """The text with `REPLACEMENT` for each character that no font has, and without the invisible ones of these."""
        shown = {ord(char): None if unicodedata.category(char) == "Cf" else REPLACEMENT for char in self.missing}
        return text.translate(shown) if shown else text


def fonts_for(text: str, locale: str) -> Fonts:
    """What the characters of a text need. The fonts of Chinese, Japanese and Korean, some 20 MB, are opened for text
    that has them only; Han characters look Japanese where the language is, else simplified Chinese."""
    others = frozenset() if text.isascii() else frozenset(c for c in set(text) if not _has(_typst_ranges(), c))
    missing = frozenset(char for char in others if not _has(_cjk_ranges(), char))
    if others == missing:
        return Fonts(_book(with_cjk=False), [_SERIF, *_OTHERS], [_MONO, *_OTHERS], missing)
    form = "JP" if locale == "ja" else "SC"
    text_families = [_SERIF, f"Noto Sans CJK {form}", *_OTHERS]
    return Fonts(_book(with_cjk=True), text_families, [_MONO, f"Noto Sans Mono CJK {form}", *_OTHERS], missing)


@cache
def _book(*, with_cjk: bool) -> "typst.Fonts":
    """Opened once in a process."""
    import typst  # noqa: PLC0415  only the process that renders loads it

    folders = [Path(str(FONT_PATH)).parent] if with_cjk else []
    return typst.Fonts(include_system_fonts=False, font_paths=folders)


def _has(ranges: Sequence[Range], char: str) -> bool:
    position = bisect_right(ranges, (ord(char), 0x110000)) - 1
    return position >= 0 and ord(char) <= ranges[position][1]


@cache
def _typst_ranges() -> Sequence[Range]:
    pairs = (pair.partition("-") for pair in _TYPST.split())
    return [(int(first, 16), int(last or first, 16)) for first, _, last in pairs]


@cache
def _cjk_ranges() -> Sequence[Range]:
    """The characters of the package's font, from its table `cmap` (OpenType 1.9, format 12). Its ten faces have the
    same ones."""
    file = FONT_PATH.read_bytes()
    (face,) = struct.unpack_from(">12xI", file)
    (count,) = struct.unpack_from(">4xH", file, face)
    tables = dict(struct.iter_unpack(">4s4xI4x", file[face + 12 : face + 12 + 16 * count]))
    cmap = tables[b"cmap"]
    (count,) = struct.unpack_from(">2xH", file, cmap)
    encodings = struct.iter_unpack(">HHI", file[cmap + 4 : cmap + 4 + 8 * count])
    (groups,) = (cmap + place for platform, encoding, place in encodings if (platform, encoding) == _FULL_UNICODE)
    (count,) = struct.unpack_from(">12xI", file, groups)
    found = struct.iter_unpack(">III", file[groups + 16 : groups + 16 + 12 * count])
    return [(first, last) for first, last, _ in found]
