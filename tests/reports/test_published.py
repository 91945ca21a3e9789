from reports.published import find_published, published_checkpoints


def test_there_are_22_published_checkpoints() -> None:
    assert len(published_checkpoints()) == 22


def test_a_checkpoint_is_found_by_multiplier_and_square_size() -> None:
    found = find_published(1.0, 224, 224)
    assert found is not None
    assert (found.macs_millions, found.top1_percent) == (300, 71.8)


def test_nothing_was_published_about_other_sizes() -> None:
    assert find_published(1.0, 224, 192) is None
    assert find_published(1.4, 96, 96) is None
    assert find_published(0.8, 224, 224) is None
