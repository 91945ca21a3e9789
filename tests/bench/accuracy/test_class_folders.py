"""A directory for each class: which class is which, and what lies beside the images."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest
from PIL import Image

from mobilebench.bench.accuracy.class_folders import read_class_folders
from mobilebench.bench.models.class_names import usual_names
from mobilebench.targets.errors import BenchError


def picture(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (4, 3), (9, 8, 7)).save(path, "PNG")
    return path


def folders(path: Path, names: Iterable[object], filled: Iterable[object] = ()) -> Path:
    """Make directories; an image lies in those that are filled."""
    for name in names:
        (path / str(name)).mkdir(parents=True)
    for name in filled:
        picture(path / str(name) / "a.png")
    return path


def classes_of(path: Path, classes: int, names: Sequence[str] = ()) -> dict[str, int]:
    """Return the class of each image's directory."""
    pairs = read_class_folders(path, classes, names).pairs
    return {file.relative_to(path).parts[0]: label for file, label in pairs}


def test_directories_named_0_to_999_sort_as_numbers(tmp_path: Path) -> None:
    folders(tmp_path, range(1000), (0, 2, 10, 999))
    assert classes_of(tmp_path, 1000) == {"0": 0, "2": 2, "10": 10, "999": 999}


def test_the_classes_that_text_order_would_give_are_known(tmp_path: Path) -> None:
    folders(tmp_path, range(12), (0, 2, 10, 11))
    assert read_class_folders(tmp_path, 12).otherwise == (
        ("directories were sorted as text, 10 before 2", (0, 4, 2, 3)),
    )


def test_the_classes_that_the_numbers_in_names_would_give_are_known(tmp_path: Path) -> None:
    folders(tmp_path, (f"class_{number}" for number in range(12)), ("class_2", "class_11"))
    assert classes_of(tmp_path, 12) == {"class_11": 3, "class_2": 4}
    ((said, labels),) = read_class_folders(tmp_path, 12).otherwise
    assert "by the numbers in their names" in said
    assert labels == (11, 2)


def test_numbers_with_leading_zeros_are_the_same_in_both_orders(tmp_path: Path) -> None:
    folders(tmp_path, (f"{number:03}" for number in range(12)), ("002", "011"))
    assert classes_of(tmp_path, 12) == {"002": 2, "011": 11}
    assert read_class_folders(tmp_path, 12).otherwise == ()


def test_numbers_counted_from_1_are_in_their_order(tmp_path: Path) -> None:
    folders(tmp_path, range(1, 13), (1, 2, 10, 12))
    assert classes_of(tmp_path, 12) == {"1": 0, "2": 1, "10": 9, "12": 11}


def test_some_of_the_numbers_are_the_classes_themselves(tmp_path: Path) -> None:
    folders(tmp_path, (), (3, 207, 1))
    assert classes_of(tmp_path, 1000) == {"3": 3, "207": 207, "1": 1}


def test_other_names_sort_as_text(tmp_path: Path) -> None:
    folders(tmp_path, (), ("dog", "Cat", "10", "9"))
    assert classes_of(tmp_path, 4) == {"10": 0, "9": 1, "Cat": 2, "dog": 3}


def test_an_empty_directory_beside_the_classes_does_not_count(tmp_path: Path) -> None:
    folders(tmp_path, ("a-results",), ("cat", "dog"))
    assert classes_of(tmp_path, 2) == {"cat": 0, "dog": 1}


def test_hidden_files_and_what_archives_leave_behind_are_passed_over(tmp_path: Path) -> None:
    folders(tmp_path, (".git", ".ipynb_checkpoints"), ("cat", "dog", "__MACOSX", "@eaDir"))
    (tmp_path / "__MACOSX" / "cat").mkdir()
    for name in ("cat/._a.png", "cat/.hidden.png", "dog/Thumbs.db", "__MACOSX/cat/._a.png"):
        (tmp_path / name).write_bytes(b"no image")
    (tmp_path / ".DS_Store").write_bytes(b"no image")
    pairs = read_class_folders(tmp_path, 2).pairs
    assert [(str(file.relative_to(tmp_path)), label) for file, label in pairs] == [
        ("cat/a.png", 0),
        ("dog/a.png", 1),
    ]


def test_images_lie_deeper_and_have_suffixes_in_any_case(tmp_path: Path) -> None:
    picture(tmp_path / "cat" / "images" / "a.JPEG")
    picture(tmp_path / "cat" / "b.TiFF")
    picture(tmp_path / "dog" / "c.Gif")
    (tmp_path / "dog" / "notes.txt").write_text("no image")
    names = [file.name for file, _ in read_class_folders(tmp_path, 2).pairs]
    assert names == ["b.TiFF", "a.JPEG", "c.Gif"]


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        (("cat", "dog"), "has 2 class directories, the network has 5 classes"),
        ((1, "01", 2), "01 and 1 are both of class 1"),
        ((1, 2, 5), "has 3 class directories, the network has 5 classes"),
        (("train", "val"), "has the directories train, val; name one of them"),
        (("imagenet",), "has one directory with images, imagenet.* name .*imagenet$"),
        ((), "has no images in a directory for each class"),
    ],
)
def test_other_directories_are_refused(
    tmp_path: Path, names: tuple[object, ...], reason: str
) -> None:
    with pytest.raises(BenchError, match=reason) as refusal:
        read_class_folders(folders(tmp_path, (), names), 5)
    assert "\n" not in str(refusal.value)


IMAGENET = usual_names("classify", 1000)


def test_directories_of_some_wordnet_ids_or_names_are_imagenet_s_classes(tmp_path: Path) -> None:
    folders(tmp_path / "ids", (), ("n02165105", "n01440764"))
    assert classes_of(tmp_path / "ids", 1000, IMAGENET) == {"n01440764": 0, "n02165105": 300}
    folders(tmp_path / "names", (), ("tiger_beetle", "Tench"))
    assert classes_of(tmp_path / "names", 1000, IMAGENET) == {"Tench": 0, "tiger_beetle": 300}


def test_names_win_over_the_order_of_text(tmp_path: Path) -> None:
    folders(tmp_path, (), ("cat", "dog"))
    assert classes_of(tmp_path, 2, ("dog", "cat")) == {"dog": 0, "cat": 1}
    assert classes_of(tmp_path, 2, ("yes", "no")) == {"cat": 0, "dog": 1}


def test_directories_of_a_split_are_not_classes(tmp_path: Path) -> None:
    folders(tmp_path, (), ("train", "val"))
    with pytest.raises(BenchError, match="has the directories train, val; name one of them"):
        classes_of(tmp_path, 2, ("cat", "dog"))
    assert classes_of(tmp_path, 2, ("val", "train")) == {"val": 0, "train": 1}


def test_one_directory_named_as_a_class_makes_others_strangers(tmp_path: Path) -> None:
    folders(tmp_path, (), ("dog", "zebra"))
    with pytest.raises(BenchError, match="directory zebra is none of the network's classes"):
        classes_of(tmp_path, 2, ("cat", "dog"))


def test_a_stranger_among_directories_named_as_classes_is_refused(tmp_path: Path) -> None:
    folders(tmp_path, (), ("n02165105", "n01440764", "results"))
    with pytest.raises(BenchError, match="directory results is none of the network's classes"):
        classes_of(tmp_path, 1000, IMAGENET)
    folders(tmp_path / "twice", (), ("tench", "n01440764"))
    with pytest.raises(BenchError, match="n01440764 and tench are the same class"):
        classes_of(tmp_path / "twice", 1000, IMAGENET)


def test_directories_may_have_a_number_before_the_class_s_name(tmp_path: Path) -> None:
    names = ("cat", "dog", "bird")
    folders(tmp_path / "all", ["2_cat", "1_dog", "0_bird"], ["2_cat", "0_bird"])
    assert classes_of(tmp_path / "all", 3, names) == {"2_cat": 0, "0_bird": 2}
    folders(tmp_path / "some", ["001.cat", "002.cow", "003.bird"], ["001.cat", "003.bird"])
    assert classes_of(tmp_path / "some", 3, names) == {"001.cat": 0, "003.bird": 2}
    folders(tmp_path / "others", ["0_ant", "1_bee", "2_cat"], ["0_ant", "1_bee", "2_cat"])
    assert classes_of(tmp_path / "others", 3, names) == {"0_ant": 0, "1_bee": 1, "2_cat": 2}


def test_a_link_to_an_image_that_is_gone_is_not_passed_over(tmp_path: Path) -> None:
    folders(tmp_path, "01", "01")
    (tmp_path / "1" / "b.png").symlink_to("nowhere.png")
    (tmp_path / "1" / "notes.txt").symlink_to("nowhere.txt")
    files = [file.name for file, _ in read_class_folders(tmp_path, 2).pairs]
    assert files == ["a.png", "a.png", "b.png"]


def test_directories_that_are_not_named_as_known_classes_are_noted(tmp_path: Path) -> None:
    plural = folders(tmp_path / "plural", (), ("cats", "dogs"))
    (note,) = read_class_folders(plural, 2, ("cat", "dog")).notes
    assert "not named as the network's classes are (cats and dogs, not cat)" in note
    numbered = folders(tmp_path / "numbered", (), ("0", "1"))
    assert read_class_folders(numbered, 2, ("cat", "dog")).notes == ()
    assert read_class_folders(plural, 2).notes == ()


def test_names_are_the_same_however_their_accents_are_written(tmp_path: Path) -> None:
    folders(tmp_path, (), ("A\u0308pfel", "Birnen"))  # as macOS writes them
    assert set(classes_of(tmp_path, 2, ("Birnen", "Äpfel")).values()) == {0, 1}
    pairs = read_class_folders(tmp_path, 2, ("Birnen", "Äpfel")).pairs
    assert [file.parent.name[0] for file, label in pairs if label == 0] == ["B"]
