from mobilebench.bench.measure.support import why_unsupported
from mobilebench.targets.catalog.target import find_target


def test_ncnn_says_why_it_has_no_8_bits() -> None:
    found = why_unsupported("ncnn", find_target("native"), "int8")
    assert found.startswith("ncnn is measured at float32 only: its Python package has no quantiser")


def test_a_runtime_that_has_the_precision_is_supported() -> None:
    assert why_unsupported("onnxruntime", find_target("native"), "int8") == ""
