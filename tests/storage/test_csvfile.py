import csv
import gzip
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from peak import peak_of

from xrayaug.errors import DataError, InputError, UsageError
from xrayaug.storage import csv_dialects, csvfile


def write(tmp_path: Path, data: bytes) -> Path:
    path = tmp_path / "sheet.csv"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    "data",
    [
        b"file,label\na.png,1\n",
        b"file;label\r\na.png;1\r\n",
        b"file\tlabel\na.png\t1",
        b"\xef\xbb\xbffile,label\na.png,1\n",
        "file,label\na.png,1\n".encode("utf-16"),
        b"\n\n File , label \n\n a.png , 1 \n,\n",
        b'"file","label"\n"a.png","1"\n',
    ],
)
def test_every_usual_form_is_read_alike(tmp_path: Path, data: bytes) -> None:
    path = write(tmp_path, data)
    sheet = csvfile.read_sheet(path)
    assert [title.lower() for title in sheet.header] == ["file", "label"]
    assert [line.cells for line in sheet.lines] == [("a.png", "1")]
    assert csvfile.read_header(path) == sheet.header


def test_latin_1_is_read_where_the_bytes_are_no_utf_8(tmp_path: Path) -> None:
    assert csvfile.read_sheet(write(tmp_path, b"file\nm\xfcller.png\n")).lines[0].cell(0) == "müller.png"


def test_lines_are_numbered_as_an_editor_does(tmp_path: Path) -> None:
    assert [line.number for line in csvfile.read_lines(write(tmp_path, b"a\n\nb\n"))] == [1, 3]


def test_columns_are_found_by_name_in_the_order_of_the_names(tmp_path: Path) -> None:
    sheet = csvfile.read_sheet(write(tmp_path, b"Path,IMAGE\nx,y\n"))
    assert sheet.column(["image", "path"]) == 1
    assert sheet.column(["nothing"]) is None
    assert sheet.lines[0].cell(None) == ""
    assert sheet.lines[0].cell(7) == ""


def test_two_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="2 columns called 'id'"):
        csvfile.read_sheet(write(tmp_path, b"id,ID\n1,2\n")).column(["id"])


def test_missing_and_empty_csv_files_are_errors(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        csvfile.read_sheet(tmp_path / "gone.csv")
    with pytest.raises(DataError, match="is empty"):
        csvfile.read_sheet(write(tmp_path, b"\n"))
    assert csvfile.read_header(tmp_path / "gone.csv") == ()


def test_a_cell_beyond_the_limit_is_an_error_of_the_file(tmp_path: Path) -> None:
    path = write(tmp_path, b'a\n"' + b"x" * 200_000)
    with pytest.raises(DataError, match="no CSV file"):
        csvfile.read_lines(path)


@pytest.mark.parametrize("data", [b"a\n\0b\n", b"file,label\na.png,\0\n"])
def test_nul_bytes_are_no_csv(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(DataError, match="NUL bytes"):
        csvfile.read_lines(write(tmp_path, data))


def test_a_csv_with_too_many_cells_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, b"a,b\n" * 10)
    monkeypatch.setattr(csvfile, "MAX_CELLS", 29)
    with pytest.raises(DataError, match="more than 29 cells"):
        csvfile.read_lines(path)
    monkeypatch.setattr(csvfile, "MAX_BYTES", 39)
    with pytest.raises(DataError, match="more than 39 bytes"):
        csvfile.read_lines(path)


@pytest.mark.parametrize("text", ["=1+1", "+1+2", "-1e", "@SUM(A1)", "\t=1", "\r=1", "'=1", "''-1", "-"])
def test_text_that_begins_as_a_formula_does_is_guarded_and_comes_back(text: str) -> None:
    assert csvfile.escape_formula(text) == f"'{text}"
    assert csvfile.unescape_formula(f"'{text}") == text


@pytest.mark.parametrize("text", ["", "a=1", "'", "'tis", "1-2", " =1", "''", "-1", "+1.5", "-1e-3"])
def test_other_text_is_left_alone(text: str) -> None:
    assert csvfile.escape_formula(text) == csvfile.unescape_formula(text) == text


def test_numbers_are_written_as_they_are_and_text_is_guarded() -> None:
    rows = [("=a", -1, -0.5, None, True), ["b,c", 'd"e', "f\ng", "h\ri", "-"]]
    assert csvfile.dump(rows) == "'=a,-1,-0.5,,True\n" + '"b,c","d""e","f\ng","h\ri",' + "'-\n"


@given(st.lists(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=2, max_size=4), max_size=4))
def test_python_s_csv_reader_reads_what_dump_writes(rows: list[list[str]]) -> None:
    read = csv.reader(io.StringIO(csvfile.dump(rows), newline=""), strict=True)
    assert [[csvfile.unescape_formula(cell) for cell in cells] for cells in read] == rows


@pytest.mark.parametrize(
    "data",
    [
        b"sep=;\r\nfile;label\r\na.png;1\r\n",
        b'\xef\xbb\xbf"sep=;"\nfile;label\na.png;1\n',
        b"sep=,\nfile,label,\na.png,1,\n",
        b"file|label\na.png|1\n",
        "file,label\na.png,1\n".encode("utf-16-le"),
        "file,label\na.png,1\n".encode("utf-16-be"),
        b'file,label\na.png,="1"\n',
        gzip.compress(b"file,label\na.png,1\n", mtime=0),
    ],
)
def test_the_sep_line_and_the_byte_order_mark_are_removed(tmp_path: Path, data: bytes) -> None:
    path = write(tmp_path, data)
    assert csvfile.read_sheet(path).header == ("file", "label")
    assert [line.cells[:2] for line in csvfile.read_sheet(path).lines] == [("a.png", "1")]
    assert csvfile.read_header(path)[:2] == ("file", "label")


@pytest.mark.parametrize(
    ("text", "encoding", "read_as"),
    [
        ("文件,标签\na.png,骨折\nb.png,正常\n", "gbk", "gb18030"),
        ("file,label\nmüller.png,Größe\nb.png,Ärzte\n", "latin-1", "cp1252"),
        ("file,label\na–b.png,fracture’s\n", "cp1252", "cp1252"),
        ("file,label\na.png,TÓRAX ÁP\nb.png,ÄRZTE\n", "cp1252", "cp1252"),
    ],
)
def test_other_encodings_are_guessed_and_said(tmp_path: Path, text: str, encoding: str, read_as: str) -> None:
    path = write(tmp_path, text.encode(encoding))
    sheet = csvfile.read_sheet(path)
    assert ",".join(sheet.header) == text.split("\n", maxsplit=1)[0]
    assert read_as in sheet.notes[0]
    named = csvfile.read_sheet(path, encoding)
    assert (named.lines, named.notes) == (sheet.lines, [])


def test_an_encoding_can_be_named(tmp_path: Path) -> None:
    path = write(tmp_path, "file,label\nснимок.png,перелом\n".encode("cp1251"))
    assert csvfile.read_sheet(path, "cp1251").lines[0].cells == ("снимок.png", "перелом")
    with pytest.raises(UsageError, match="klingon"):
        csvfile.read_sheet(path, "klingon")
    with pytest.raises(DataError):
        csvfile.read_sheet(path, "utf-8")


def test_a_line_of_more_cells_than_columns_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="line 3 has 3 cells"):
        csvfile.read_sheet(write(tmp_path, b"file,label\na.png,1\nb.png,mass, left\n"))
    with pytest.raises(DataError, match="line 2 has 4 cells"):
        csvfile.read_sheet(write(tmp_path, b"file,label,note\na.png,1,0,\nb.png,1,x\n"))
    with pytest.raises(DataError, match="line 2 has 3 cells"):  # the name of a patient, perhaps, that a comma parts
        csvfile.read_sheet(write(tmp_path, b"file,label\na.png,1,\nb.png,0,\n"))
    assert csvfile.read_sheet(write(tmp_path, b"file,label,,\na.png,1,,\n")).header == ("file", "label")


def test_a_line_of_fewer_cells_is_said_and_refused_where_a_cell_counts(tmp_path: Path) -> None:
    sheet = csvfile.read_sheet(write(tmp_path, b"file;label;age\na.png;1\nb.png;0;12,5\nc.png\n"))
    assert [line.cell(2) for line in sheet.lines] == ["", "12,5", ""]
    assert sheet.notes == [
        "sheet.csv: 2 lines have fewer cells than the header; those missing at the end are taken as empty"
    ]
    sheet.check_cells(sheet.lines, [0, None])
    sheet.check_cells(sheet.lines[:2], [0, 1])
    with pytest.raises(DataError, match=r"sheet.csv line 4 ends before column 'label'"):
        sheet.check_cells(sheet.lines, [0, 1])


def test_iterate_yields_short_lines_where_it_is_asked_to(tmp_path: Path) -> None:
    file = write(tmp_path, b"a,b,c\n1\n2,3,4\n")
    assert [cells for _, rows in csvfile.iterate(file, 10, allow_short=True) for cells in rows][1:] == [
        ["1"],
        ["2", "3", "4"],
    ]
    with pytest.raises(DataError, match="line 2 has 1 cells"):
        list(csvfile.iterate(file, 10))
    with pytest.raises(DataError, match="line 2 has 4 cells"):
        list(csvfile.iterate(write(tmp_path, b"a,b,c\n1,2,3,4\n"), 10, allow_short=True))


def test_iterate_reads_a_named_encoding(tmp_path: Path) -> None:
    file = write(tmp_path, "name;größe\nmüller;1\n".encode("cp1252"))
    assert [rows for _, rows in csvfile.iterate(file, 10, "cp1252")] == [[["name", "größe"]], [["müller", "1"]]]
    assert csvfile.guess_encoding(file) == ("cp1252", "größe")
    assert csvfile.guess_encoding(write(tmp_path, "größe\n".encode())) == ("", "")


def test_a_quote_that_swallows_lines_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="line"):
        csvfile.read_sheet(write(tmp_path, b'file,label\n"a.png,1\nb.png,0\n'))
    with pytest.raises(DataError, match="line 3"):
        csvfile.read_sheet(write(tmp_path, b'file,label\n"a.png,1\nb".png,0\n'))
    with pytest.raises(DataError, match="quot"):
        csvfile.read_sheet(write(tmp_path, b'file,note\na.png,"x\nb.png,y\nc.png,z"\n'))
    assert len(csvfile.read_sheet(write(tmp_path, b'file,note\na.png,"two\nlines, long"\n')).lines) == 1


def test_a_wrapped_title_does_not_hide_the_delimiter(tmp_path: Path) -> None:
    assert csvfile.read_sheet(write(tmp_path, b'"file\nname";label\na.png;1\n')).header == ("file\nname", "label")


def test_a_space_after_the_delimiter_is_no_part_of_a_quoted_cell(tmp_path: Path) -> None:
    assert csvfile.read_sheet(write(tmp_path, b'file, label\na.png, "1, 2"\n')).lines[0].cells == ("a.png", "1, 2")


def test_a_damaged_archive_and_a_workbook_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="gzip"):
        csvfile.read_sheet(write(tmp_path, gzip.compress(b"file,label\na.png,1\n" * 9)[:-9]))
    with pytest.raises(DataError, match="workbook"):
        csvfile.read_sheet(write(tmp_path, b"PK\x03\x04..."))


def test_a_header_is_cut_between_characters(tmp_path: Path) -> None:
    line = "é" * 40 + ",1\n"
    path = write(tmp_path, ("größe,label\n" + line * (csv_dialects.HEAD_BYTES // len(line.encode()) + 2)).encode())
    assert csvfile.read_header(path) == ("größe", "label")


def test_iterate_yields_the_header_alone_and_then_so_many_lines(tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    file.write_text('a,b\n1,2\n\n3,"4\n5"\n6,7\n', encoding="utf-8")
    chunks = list(csvfile.iterate(file, 2))
    assert chunks == [([1], [["a", "b"]]), ([2, 5], [["1", "2"], ["3", "4\n5"]]), ([6], [["6", "7"]])]
    assert [line.cells for line in csvfile.read_lines(file)] == [tuple(row) for _, rows in chunks for row in rows]


def test_iterate_takes_memory_for_its_lines_only(tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    peaks = []
    for lines in (20_000, 80_000):
        file.write_text("a,b\n" + "name of some length,0.123456\n" * lines, encoding="utf-8")
        peaks.append(peak_of(lambda: [len(rows) for _, rows in csvfile.iterate(file, 1000)]))
    assert peaks[1] < 1.3 * peaks[0]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"\n\n", "is empty"),
        (b"a,b\n1\n", "line 2 has 1 cells"),
        (b"a,b\n1,2,3\n", "line 2 has 3 cells"),
        (b'a,b\n1,"2\n', "is no CSV file"),
        (b"a,b\n1,\xff\n", "is no CSV file"),
        (b"PK\x03\x04", "is a workbook"),
    ],
)
def test_iterate_refuses_what_is_no_csv_file(tmp_path: Path, content: bytes, message: str) -> None:
    file = tmp_path / "list.csv"
    file.write_bytes(content)
    with pytest.raises(DataError, match=message):
        list(csvfile.iterate(file, 10))
