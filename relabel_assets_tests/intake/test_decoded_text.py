"""The encoding of a text file, and the repair of mojibake where it is sure."""

import pytest

from relabel_assets.intake.decoded_text import decoded_text, without_mojibake
from relabel_assets.intake.set_aside import SetAside

FRENCH = "Congé parental – à déposer « avant » l’été. Prix : 20 €"
GOOD = [
    FRENCH,
    "NÃO É PERMITIDO: SÃO PAULO, ÂNGELA, À MÃE",
    "Přílis žluťoučký kůň úpěl ďábelské ódy.",
    "有給休暇の申請は二週間前までに行ってください。",
    "Сотрудник имеет право на отпуск.",
    "“Smart quotes” — don’t, won’t 🎉",
    "Ã© stands for é, and Ã¨ for è.",
    "One Ã© alone is an example.",
    "plain",
    "",
]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize("text", GOOD)
def test_marked_and_utf_8_text_is_read_without_a_note(text: str, encoding: str) -> None:
    decoded = decoded_text(text.encode(encoding))
    assert (decoded.text, decoded.notes) == (text, ())


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_a_mark_is_known_by_its_nuls(encoding: str) -> None:
    assert decoded_text("Ask HR for leave.".encode(encoding)).text == "Ask HR for leave."


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("café", "cp1252"),
        (FRENCH, "cp1252"),
        ("Die Bürger können Anträge stellen, solange die Frist läuft.", "cp1252"),
        ("Příliš žluťoučký kůň úpěl ďábelské ódy.", "cp1250"),
        ("Çalışanın yıllık ücretli izin hakkı vardır. Başvuruyu iki hafta önce yapın.", "cp1254"),
        ("העובד זכאי לחופשה שנתית בתשלום. יש להגיש בקשה שבועיים מראש.", "cp1255"),
        ("Сотрудник имеет право на отпуск.\nПривет\n" * 30, "cp1251"),
        ("Сотрудник имеет право на ежегодный оплачиваемый отпуск.", "koi8_r"),
        ("有給休暇の申請は二週間前までに行ってください。", "cp932"),
        ("员工每年有二十天带薪年假。请提前两周申请。", "gb18030"),
        ("พนักงานมีสิทธิลาพักร้อนปีละสิบวันทำงาน ต้องแจ้งล่วงหน้าสามวัน", "cp874"),
        ("ค่าแท็กซี่เบิกได้ตามจริงเมื่อมีใบเสร็จ", "cp874"),
        ("請假規定：員工請假須事先填寫請假單，並經主管核准。", "big5"),
        ("직원은 연간 십오일의 유급휴가를 가진다.", "cp949"),
    ],
)
def test_another_encoding_is_found_and_named(text: str, encoding: str) -> None:
    decoded = decoded_text(text.encode(encoding))
    assert (decoded.text, decoded.encoding) == (text, encoding)
    assert f"read as {encoding}" in decoded.notes[0]


def test_one_byte_far_into_a_long_text_is_in_the_sample() -> None:
    decoded = decoded_text(b"leave and pay. " * 40_000 + b"caf\xe9 " + b"leave and pay. " * 40_000)
    assert (decoded.encoding, "café" in decoded.text) == ("cp1252", True)


@pytest.mark.parametrize("content", [bytes(range(256)) * 4, b"\x89PNG\r\n\x1a\n\x00\x00" * 50])
def test_bytes_that_are_no_text_are_set_aside(content: bytes) -> None:
    with pytest.raises(SetAside, match="encoding is not known"):
        decoded_text(content)


@pytest.mark.parametrize("content", [bytes(100), b"ab\x01" * 50])
def test_utf_8_that_is_no_text_is_set_aside(content: bytes) -> None:
    with pytest.raises(SetAside, match="is no text"):
        decoded_text(content)


def test_some_control_characters_make_no_text_a_program() -> None:
    text = "\x1b[31mred\x1b[0m\x07 log of a run, with a page end\x0c and a NUL\x00."
    assert decoded_text(text.encode()).text == text


def test_a_torn_mark_costs_no_text() -> None:
    assert decoded_text(b"\xef\xbb\xbfcaf\xe9").text == "café"


def test_text_is_nfc() -> None:
    assert decoded_text("cafe\u0301".encode()).text == "caf\u00e9"


@pytest.mark.parametrize("text", GOOD)
def test_a_good_text_is_never_repaired(text: str) -> None:
    assert without_mojibake(text) == text


@pytest.mark.parametrize(
    "text", [FRENCH, "Žluťoučký kůň, příliš", "It’s “smart”", "有給休暇の申請"]
)
def test_a_text_of_mojibake_alone_is_repaired_with_a_note(text: str) -> None:
    import ftfy.bad_codecs

    ftfy.bad_codecs.ok()
    broken = text.encode().decode("sloppy-windows-1252")
    decoded = decoded_text(broken.encode())
    assert decoded.text == text
    assert "decoded twice" in decoded.notes[0]
    assert without_mojibake(f"{broken} é") == f"{broken} é"
