from mobilebench.bench.measure.support import why_unsupported
from mobilebench.targets.catalog.target import find_target


def test_ncnn_says_why_it_has_no_8_bits() -> None:
    found = why_unsupported("ncnn", find_target("native"), "int8")
    assert found.startswith("ncnn is measured at float32 only: its Python package has no quantiser")


def test_a_runtime_that_has_the_precision_is_supported() -> None:
    assert why_unsupported("onnxruntime", find_target("native"), "int8") == ""


def test_on_linux_boards_other_runtimes_are_measured() -> None:
    for name in ("onnxruntime", "litert", "ncnn", "mnn"):
        assert why_unsupported(name, find_target("raspberry-pi-5"), "float32") == ""
    found = why_unsupported("openvino", find_target("raspberry-pi-5"), "float32")
    assert found.startswith("openvino is measured on this machine alone; on boards tvm, onnx")


def test_on_android_only_tvm_is_measured() -> None:
    found = why_unsupported("onnxruntime", find_target("android-arm64"), "float32")
    assert found.startswith("on Android only tvm is measured")
    assert why_unsupported("tvm", find_target("android-arm64"), "float32") == ""
