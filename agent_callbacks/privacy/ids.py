"""National identity numbers: how each is written, and who checks its digits.

The checksums of python-stdnum are the ones that hold; it costs 2 to 10 microseconds a number, which is why a number
gets there only with the right shape and, where its checksum lets one number in ten pass, with a word that announces it.
Its modules are loaded when the first number of their form is seen.
"""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["FORMS", "LETTERED", "Form", "is_valid"]


class Form(NamedTuple):
    """One way one country writes a number.

    Attributes:
        shape: The number, ``0`` for a digit, ``A`` for a letter.
        number: The module of python-stdnum that checks it: country, name.
        sure: Shape and checksum are rare enough together; otherwise a word must announce it.
        alone: Only where no row of numbers goes on.
    """

    shape: bytes
    number: tuple[str, str]
    sure: bool = True
    alone: bool = True


FORMS: Final[tuple[Form, ...]] = (
    Form(rb"000\.000\.000-00", ("br", "cpf"), alone=False),
    Form(rb"0{11}", ("br", "cpf")),
    Form(rb"00\.000\.000/0000-00", ("br", "cnpj"), alone=False),
    Form(rb"0{14}", ("br", "cnpj"), sure=False),
    Form(rb"0000[ \-]0000[ \-]0000", ("in", "aadhaar")),
    Form(rb"0{12}", ("in", "aadhaar"), sure=False),
    Form(rb"0[ \-]?00[ \-]?00[ \-]?00[ \-]?000[ \-]?000[ \-]?00", ("fr", "nir")),
    Form(rb"000[ \-]000[ \-]0000", ("gb", "nhs"), sure=False),
    Form(rb"0{10}", ("gb", "nhs"), sure=False),
    Form(rb"00 ?000 ?000 ?000", ("de", "idnr")),
    Form(rb"00[ /]000[ /]000[ /]000", ("de", "idnr"), sure=False),
    Form(rb"0{11}", ("pl", "pesel"), sure=False),
    Form(rb"0{9}", ("nl", "bsn"), sure=False),
    Form(rb"0000\.00\.000", ("nl", "bsn")),
    Form(rb"00\.00\.00-000\.00", ("be", "nn"), alone=False),
    Form(rb"0{11}", ("be", "nn")),
    Form(rb"0{6}-0000", ("se", "personnummer")),
    Form(rb"0{8}-0000", ("se", "personnummer")),
    Form(rb"0{6}-0000", ("dk", "cpr"), sure=False),
    Form(rb"0{6} ?00000", ("no", "fodselsnummer")),
    Form(rb"000\.0000\.0000\.00", ("ch", "ssn"), alone=False),
    Form(rb"0{13}", ("ch", "ssn"), sure=False),
    Form(rb"0000 0{6}", ("at", "vnr"), sure=False),
    Form(rb"0{6}/0{3,4}", ("cz", "rc")),
    Form(rb"0{13}", ("ro", "cnp"), sure=False),
    Form(rb"0{10}", ("bg", "egn"), sure=False),
    Form(rb"0{11}", ("gr", "amka"), sure=False),
    Form(rb"0{11}", ("tr", "tckimlik"), sure=False),
    Form(rb"0{13}", ("za", "idnr"), sure=False),
    Form(rb"0{6} ?0000 ?00 ?0", ("za", "idnr"), sure=False),
    Form(rb"0{18}", ("cn", "ric")),
    Form(rb"0{6}-0{7}", ("kr", "rrn")),
    Form(rb"00-0{8}-0", ("ar", "cuit"), alone=False),
    Form(rb"0{1,2}\.000\.000-0", ("cl", "rut"), alone=False),
    Form(rb"000[ \-]000[ \-]000", ("ca", "sin"), sure=False),
    Form(rb"0{9}", ("ca", "sin"), sure=False),
    Form(rb"000 ?000 ?000", ("au", "tfn"), sure=False),
    Form(rb"000 ?000 ?000", ("pt", "nif"), sure=False),
    Form(rb"0{9}", ("il", "idnr"), sure=False),
    Form(rb"0{11}", ("ee", "ik"), sure=False),
    Form(rb"0{11}", ("hr", "oib"), sure=False),
    Form(rb"0{13}", ("si", "emso"), sure=False),
    Form(rb"0{6}-0000", ("is_", "kennitala"), sure=False),
    Form(rb"000-00-0000", ("us", "itin")),
)
"""Made of digits."""

LETTERED: Final[tuple[Form, ...]] = (
    Form(rb"AA[ \-]?00[ \-]?00[ \-]?00[ \-]?A", ("gb", "nino")),
    Form(rb"0{8}[ \-]?A", ("es", "dni")),
    Form(rb"A[ \-]?0{7}[ \-]?A", ("es", "nie")),
    Form(rb"A0{7}A", ("es", "cif")),
    Form(rb"A{6}00A00A000A", ("it", "codicefiscale")),
    Form(rb"A{5}0000A", ("in", "pan")),
    Form(rb"0{7}A{1,2}", ("ie", "pps")),
    Form(rb"0{6}[\-+A]000[0A]", ("fi", "hetu")),
    Form(rb"A{4}0{6}A{6}[0A]0", ("mx", "curp")),
    Form(rb"A{3,4}0{6}[A0]{2}[A0]", ("mx", "rfc"), sure=False),
    Form(rb"0{17}A", ("cn", "ric")),
    Form(rb"0{1,2}\.?000\.?000-A", ("cl", "rut")),
    Form(rb"A0{7}A", ("sg", "nric"), sure=False),
)
"""With letters in them."""

# HMRC's rule for National Insurance numbers; python-stdnum has none.
_NINO: Final = re.compile(r"(?!BG|GB|NK|KN|TN|NT|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z]\d{6}[A-D]")
_NRIC_WEIGHTS: Final = (2, 7, 6, 5, 4, 3, 2)
_NRIC_LETTERS: Final = {"S": "JZIHGFEDCBA", "T": "GFEDCBAJZIH", "F": "XWUTRQPNMLK", "G": "RTUWXKLMNPQ"}


_DNI_LETTERS: Final = "TRWAGMYFPDXBNJZSQVHLCKE"


def _dni(number: str) -> bool:
    return number[:-1].isdecimal() and _DNI_LETTERS[int(number[:-1]) % len(_DNI_LETTERS)] == number[-1]


def _nino(number: str) -> bool:
    return _NINO.fullmatch(number) is not None


def _nric(number: str) -> bool:
    letters = _NRIC_LETTERS.get(number[0])
    total = sum(weight * int(digit) for weight, digit in zip(_NRIC_WEIGHTS, number[1:8], strict=True))
    return letters is not None and letters[total % 11] == number[8]


_OWN: Final[Mapping[tuple[str, str], Callable[[str], bool]]] = {
    ("gb", "nino"): _nino,
    ("sg", "nric"): _nric,
    ("es", "dni"): _dni,
}
"""What python-stdnum has not, or takes ten times as long for as one division."""


@functools.lru_cache(maxsize=128)
def _checker(number: tuple[str, str]) -> Callable[[str], bool]:
    if own := _OWN.get(number):
        return own
    from stdnum import get_cc_module

    module: Any = get_cc_module(*number)
    checker: Callable[[str], bool] = module.is_valid
    return checker


def is_valid(number: tuple[str, str], text: str) -> bool:
    """Tell whether *text* (with its separators) is a valid *number*."""
    kept = "".join(filter(str.isalnum, text)) if number in _OWN else text
    return _checker(number)(kept)
