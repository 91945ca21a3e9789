"""Lists of images and classes as they are passed around: each is read, or refused by its line."""

import unicodedata
from pathlib import Path

import pytest
from PIL import Image

from mobilebench.bench.accuracy.label_lists import read_label_list
from mobilebench.bench.models.class_names import usual_names
from mobilebench.targets.errors import BenchError

NAMES = ("val/a.png", "val/b.png", "val/c d.png", "val/größe, 1.JPEG")
CLASSES = (7, 0, 999, 12)
HEADER = "file,class_index\n"
LINES = "".join(
    f'"{name}",{label}\n' if "," in name else f"{name},{label}\n"
    for name, label in zip(NAMES, CLASSES, strict=True)
)
BLANKS = "".join(f"{name} {label}\n" for name, label in zip(NAMES, CLASSES, strict=True))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "val").mkdir()
    for name in NAMES:
        Image.new("RGB", (4, 3)).save(tmp_path / name)
    return tmp_path


def read(folder: Path, content: str | bytes) -> list[tuple[str, int]]:
    """Return the images of a list, relative to it, with their classes."""
    path = folder / "list.txt"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    pairs = read_label_list(path).pairs
    return [(unicodedata.normalize("NFC", str(f.relative_to(folder))), n) for f, n in pairs]


@pytest.mark.parametrize(
    "content",
    [
        HEADER + LINES,
        LINES,
        BLANKS,
        "file class\n" + BLANKS,
        (HEADER + LINES.replace(",", ";"))
        .replace("größe; 1", "größe, 1")
        .replace("file,", "file;"),
        LINES.replace("png,", "png\t").replace('JPEG",', 'JPEG"\t'),
        b"\xef\xbb\xbf" + (HEADER + LINES).replace("\n", "\r\n").encode(),
        b"\xef\xbb\xbf" + LINES.encode(),
        (HEADER + LINES).encode("utf-16"),
        (HEADER + LINES).encode("latin-1"),
        "# made by me\n# today\n" + HEADER + LINES,
        "\n" + HEADER + "\n\n" + LINES + "\n\n",
        HEADER + LINES.replace(",7\n", ",7.0\n").replace(",12\n", ",12.\n"),
        "class,file\n" + "".join(f'{n},"{name}"\n' for name, n in zip(NAMES, CLASSES, strict=True)),
        BLANKS.replace("\n", ",0\n"),
        BLANKS.replace("\n", ",00\n").replace("png ", "png;").replace("JPEG ", "JPEG;"),
        "".join(f"{n},0;{name}\n" for name, n in zip(NAMES, CLASSES, strict=True)),
        HEADER + LINES.replace("val/", "val\\"),
        HEADER + LINES.replace("a.png", "a.PNG"),
        HEADER + unicodedata.normalize("NFD", LINES),
        HEADER + LINES.replace("png,", "png , "),
        HEADER + LINES.replace("\n", "\r"),
    ],
)
def test_every_form_of_a_list_is_read_alike(folder: Path, content: str | bytes) -> None:
    assert read(folder, content) == list(zip(NAMES, CLASSES, strict=True))


def test_a_column_that_counts_the_rows_is_not_the_classes(folder: Path) -> None:
    for header in ("", ",file,class_index\n"):
        rows = "".join(
            f'{number},"{name}",{label}\n'
            for number, (name, label) in enumerate(zip(NAMES, CLASSES, strict=True))
        )
        assert read(folder, header + rows) == list(zip(NAMES, CLASSES, strict=True))


def test_a_header_tells_which_column_is_which(folder: Path) -> None:
    text = "Width,Path,Label,Name\n640,val/a.png,7,tench\n480,val/b.png,0,shark\n"
    assert read(folder, text) == [("val/a.png", 7), ("val/b.png", 0)]


def test_absolute_names_stay_absolute(folder: Path) -> None:
    assert read(folder, f"{folder}/val/a.png,7\n") == [("val/a.png", 7)]


def test_images_without_a_suffix_are_read(folder: Path) -> None:
    (folder / "a.png").write_bytes((folder / "val/a.png").read_bytes())
    (folder / "a.png").rename(folder / "0001")
    assert read(folder, "image,label\n0001,7\n") == [("0001", 7)]


def test_an_image_that_is_named_twice_counts_once(folder: Path) -> None:
    assert len(read(folder, HEADER + LINES + LINES)) == len(NAMES)
    notes = read_label_list(folder / "list.txt").notes
    assert notes == ("4 images are named again in list.txt and count once",)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "names no images"),
        (HEADER, "names no images"),
        ("# nothing\n", "names no images"),
        (HEADER + LINES + "val/a.png,8\n", r"line 6: val/a.png has class 8, in line 2 7"),
        (HEADER + "val/a.png,7\nval/b.png,cat\n", "line 3: 'val/b.png,cat' is not an image and"),
        (HEADER + "val/a.png,7\nval/b.png\n", "line 3: 'val/b.png' is not an image and a class"),
        (HEADER + "val/a.png,7\nval/b.png,7.5\n", "line 3: 'val/b.png,7.5' is not"),
        ("val/a.png;3,0\nval/b.png;3,5\n", "line 2: 'val/b.png;3,5' is not an image and a class"),
        ("val/a.png;1,000\n", "line 1: 'val/a.png;1,000' is not an image and a class index"),
        ("val/a.png 3,5\n", "line 1: 'val/a.png 3,5' is not an image and a class index"),
        ("file;label\nval/a.png;7,25\n", "line 2: 'val/a.png;7,25' is not an image and"),
        ("val/a.png,cat\n", "line 1: 'val/a.png,cat' is not an image and a class index"),
        ("490\n361\n171\n", "line 1: '490' is not an image and a class index"),
        ("val/a.png,640,7\nval/b.png,480,8\n", "several columns of numbers; its first line"),
        (b"PK\x03\x04\x14\x00", "it is not a text file"),
        (b"\xff\xfea", "it is not a text file"),
    ],
)
def test_other_lists_are_refused_by_line(folder: Path, content: str | bytes, reason: str) -> None:
    with pytest.raises(BenchError, match=reason) as refusal:
        read(folder, content)
    assert "\n" not in str(refusal.value)


def test_an_archive_is_called_one(tmp_path: Path) -> None:
    (tmp_path / "val.zip").write_bytes(b"PK\x03\x04\x14\x00")
    with pytest.raises(BenchError, match=r"val\.zip: not a list .*: it is an archive; unpack it"):
        read_label_list(tmp_path / "val.zip")


def test_names_that_differ_in_case_alone_are_not_mixed_up(folder: Path) -> None:
    for name in ("x.jpg", "X.jpg"):
        Image.new("RGB", (4, 3)).save(folder / name)
    assert read(folder, "x.jpg,1\nX.jpg,2\n") == [("x.jpg", 1), ("X.jpg", 2)]
    assert read(folder, "x.JPG,1\n") == [("x.JPG", 1)]  # it is either, so it is missing


@pytest.mark.parametrize(
    "text",
    [
        "val/a.png,tiger beetle\nval/b.png,Tench\n",
        "file,label\nval/a.png,n02165105\nval/b.png,n01440764\n",
        "val/a.png n02165105\nval/b.png n01440764\n",
        "file,class_name,class_index\nval/a.png,of mine,300\nval/b.png,other,0\n",
    ],
)
def test_classes_may_be_called_by_name(folder: Path, text: str) -> None:
    (folder / "list.txt").write_text(text)
    pairs = read_label_list(folder / "list.txt", usual_names("classify", 1000)).pairs
    assert [label for _, label in pairs] == [300, 0]


def test_names_without_their_suffix_are_found(folder: Path) -> None:
    assert read(folder, "image_id,label\nval/a,7\nval/b,0\n") == [
        ("val/a.png", 7),
        ("val/b.png", 0),
    ]


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        ((), "the network's classes have no names: give their numbers, or name them in its mani"),
        (("cat", "dog"), "'dgo' is none of its classes (did you mean dog?)"),
    ],
)
def test_a_class_whose_name_is_not_known_is_told(
    folder: Path, names: tuple[str, ...], reason: str
) -> None:
    (folder / "list.txt").write_text("file,label\nval/a.png,dgo\nval/b.png,dog\n")
    with pytest.raises(
        BenchError, match=r"line 2: 'val/a\.png,dgo' is not an image and"
    ) as refused:
        read_label_list(folder / "list.txt", names)
    assert reason in str(refused.value)


def test_a_number_of_thousands_of_digits_is_no_class(folder: Path) -> None:
    (folder / "list.txt").write_text(f"file,label\nval/a.png,{'9' * 5000}\nval/b.png,0\n")
    with pytest.raises(
        BenchError, match=r"line 2: .* is not an image and a class index"
    ) as refused:
        read_label_list(folder / "list.txt")
    assert len(str(refused.value)) < 300


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("image,class_id,class_name\na.jpg,0,dog\nb.jpg,1,cat\n", "calls class 0 'dog', and"),
        ("image,class_name,class_id\na.jpg,cat,7\nb.jpg,dog,8\n", "network has no such"),
    ],
)
def test_a_column_of_names_contradicts_numbers_of_another_network(
    folder: Path, text: str, reason: str
) -> None:
    (folder / "labels.csv").write_text(text)
    with pytest.raises(BenchError, match=f"line 2: .*{reason}.*leave out the column"):
        read_label_list(folder / "labels.csv", ("cat", "dog"))
    agreeing = "image,class_id,class_name\na.jpg,0,cat\nb.jpg,1,Dog\n"
    (folder / "labels.csv").write_text(agreeing)
    found = read_label_list(folder / "labels.csv", ("cat", "dog"))
    assert [label for _, label in found.pairs] == [0, 1]


def test_rows_of_several_parts_of_the_data_are_noted(folder: Path) -> None:
    (folder / "labels.csv").write_text("file,label,split\na.jpg,0,train\nb.jpg,1,val\n")
    (note,) = read_label_list(folder / "labels.csv").notes
    assert note == "the list has rows of several parts (split: train, val); all are counted"
    (folder / "labels.csv").write_text("file,label,split\na.jpg,0,val\nb.jpg,1,val\n")
    assert read_label_list(folder / "labels.csv").notes == ()
