from mobilebench.bench.models.variant import paper_grid
from mobilebench.reports.published.figures import (
    find_in_paper,
    find_published,
    find_timm,
    published_accuracies,
    published_checkpoints,
    published_tensors,
)


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


def test_timm_s_deeper_networks_have_its_figures() -> None:
    found = find_timm("mobilenet_v2_1.2_224_d1.4")
    assert found is not None
    assert (found.top1_percent, found.top5_percent) == (77.302, 93.504)
    assert find_timm("mobilenet_v2_1.2_224_d1.4_c37") is None


def test_the_paper_s_own_networks_have_its_figures() -> None:
    found = [find_in_paper(variant.name) for variant in paper_grid()]
    assert found == [70.6, 72.0, 74.7, 22.1, 75.32, 75.7]


def test_the_paper_says_nothing_of_other_variants() -> None:
    for name in ("mobilenet_v1_0.5_224", "ssdlite_mobilenet_v2_1.0_300", ""):
        assert find_in_paper(name) is None


def test_the_paper_s_largest_tensors_are_those_of_two_networks() -> None:
    tensors = published_tensors("mobilenet_v2_1.0_224")
    assert [(one.size, one.channels, one.kilobytes) for one in tensors][:2] == [
        (112, 16, 400),
        (56, 32, 200),
    ]
    assert published_tensors("mobilenet_v1_1.0_224")[0].kilobytes == 1600
    assert published_tensors("mobilenet_v2_1.4_224") == ()


def test_every_main_figure_is_found_by_the_variant_s_name() -> None:
    known = published_accuracies()
    assert len(known) == 22 + 2 + 1 + 1 + 2  # slim, timm, V1, detector, segmenters
    assert known["mobilenet_v2_1.0_224"].percent == 71.8  # slim's, not the paper's
    assert "slim" in known["mobilenet_v2_1.0_224"].source
    assert known["mobilenet_v2_1.2_224_d1.4"].percent == 77.302
    assert known["ssdlite_mobilenet_v2_1.0_320"].task == "detect"
