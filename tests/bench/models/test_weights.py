import hashlib
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from mobilebench.bench.models.find_weights import find_weights
from mobilebench.bench.models.load_model import load_model
from mobilebench.bench.models.mobilenet_v2 import MobileNetV2
from mobilebench.bench.models.onnx_export import to_onnx
from mobilebench.bench.models.variant import parse_variant
from mobilebench.bench.models.weights import Weights
from mobilebench.targets.errors import BenchError
from tests.datasets import save_checkpoint

TINY = parse_variant("mobilenet_v2_0.35_32")


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """Return a checkpoint of the tiny variant."""
    path = tmp_path / "served" / "tiny.pth"
    path.parent.mkdir()
    torch.save(load_model(TINY, Weights(seed=7)).state_dict(), path)
    return path


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def same(first: MobileNetV2, second: MobileNetV2) -> bool:
    pairs = zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    return all(torch.equal(one, other) for one, other in pairs)


def test_random_weights_depend_on_the_seed_alone() -> None:
    torch.manual_seed(1)
    first = load_model(TINY, Weights(seed=3))
    torch.manual_seed(2)
    assert same(first, load_model(TINY, Weights(seed=3)))
    assert not same(first, load_model(TINY, Weights(seed=4)))


def test_drawing_weights_leaves_the_global_generator_alone() -> None:
    torch.manual_seed(1)
    expected = torch.rand(1)
    torch.manual_seed(1)
    load_model(TINY, Weights(seed=3))
    assert torch.equal(torch.rand(1), expected)


def test_random_batch_norms_change_their_input() -> None:
    modules = load_model(TINY, Weights()).modules()
    norms = [one for one in modules if isinstance(one, torch.nn.BatchNorm2d)]
    assert len(norms) == 52  # one for each convolution
    for norm in norms:
        assert norm.running_mean is not None
        assert norm.running_var is not None
        for values in (norm.weight, norm.bias, norm.running_mean, norm.running_var):
            assert values.std() > 0.01


def test_activations_stay_near_unit_size_through_the_network() -> None:
    with torch.inference_mode():
        features = load_model(TINY, Weights()).features(torch.randn(8, 3, 32, 32))
    assert 0.1 < features.std() < 10


def test_a_checkpoint_is_loaded(checkpoint: Path, tmp_path: Path) -> None:
    weights = find_weights(str(checkpoint), tmp_path)
    assert weights.sha256 == sha256(checkpoint)
    assert same(load_model(TINY, weights), load_model(TINY, Weights(seed=7)))


def test_a_checkpoint_may_lie_under_the_key_state_dict(checkpoint: Path, tmp_path: Path) -> None:
    torch.save({"epoch": 3, "state_dict": torch.load(checkpoint)}, checkpoint)
    found = load_model(TINY, find_weights(str(checkpoint), tmp_path))
    assert same(found, load_model(TINY, Weights(seed=7)))


def test_a_manifest_declares_padding_multiplier_and_resolution(
    checkpoint: Path, tmp_path: Path
) -> None:
    checkpoint.with_suffix(".toml").write_text(
        'width_multiplier = 0.35\nresolution = 32\npadding = "same"\n'
        f'sha256 = "{sha256(checkpoint)}"'
    )
    weights = find_weights(str(checkpoint), tmp_path)
    assert (weights.width_multiplier, weights.resolution, weights.padding) == (0.35, 32, "same")
    with pytest.raises(BenchError, match=r"multiplier 0.35, not 0.5; .*mobilenet_v2_0.5_32"):
        load_model(parse_variant("mobilenet_v2_0.5_32"), weights)


def test_a_checkpoint_that_is_declared_as_another_network_is_refused(
    checkpoint: Path, tmp_path: Path
) -> None:
    checkpoint.with_suffix(".toml").write_text(
        'architecture = "ssdlite_mobilenet_v2"\nclasses = 1000'
    )
    weights = find_weights(str(checkpoint), tmp_path)
    with pytest.raises(BenchError, match=r"tiny.pth: is a ssdlite_mobilenet_v2"):
        load_model(TINY, weights)


@pytest.mark.parametrize(
    ("variant", "declared", "resize", "expected"),
    [
        # A classifier's images: by the input's shorter side.
        ("mobilenet_v2_1.0_224", 224, None, None),
        ("mobilenet_v2_1.0_224", None, None, None),
        ("mobilenet_v2_1.0_224", 224, 256, 256),
        ("mobilenet_v2_1.0_160", 224, None, 160),
        ("mobilenet_v2_1.0_112x224", 224, 256, 128),
        # A segmenter's: padded and not resized, or by the input's longer side.
        ("deeplabv3_mobilenet_v2_1.0_513", 513, None, None),
        ("deeplabv3_mobilenet_v2_1.0_257", 513, None, None),
        ("deeplabv3_mobilenet_v2_1.0_257x513", 513, None, None),
        ("deeplabv3_mobilenet_v2_1.0_257", 513, 513, 257),
        ("deeplabv3_mobilenet_v2_1.0_257x513", 513, 513, 513),
        ("deeplabv3_mobilenet_v2_1.0_513x257", 513, 513, 513),
        ("deeplabv3_mobilenet_v2_1.0_1026x513", 513, 400, 800),
        ("deeplabv3_mobilenet_v2_1.0_257x513", None, 400, 400),
    ],
)
def test_images_are_resized_with_the_input(
    variant: str, declared: int | None, resize: int | None, expected: int | None
) -> None:
    how = Weights(resolution=declared, resize=resize).preprocessing(parse_variant(variant))
    assert how.resize == expected
    assert (how.height, how.width) == parse_variant(variant).input_shape[2:]


@pytest.mark.parametrize(
    ("manifest", "reason"),
    [
        ("padding =", "manifest .*tiny.toml"),
        ("paddin = 'same'", "unknown key 'paddin'; allowed are .*padding"),
        ("padding = 'valid'", "padding is 'valid'; known: symmetric, same"),
        ("padding = 3", "padding cannot be 3"),
        ("classes = 10", "classes is 10, the checkpoint has 1000; correct it"),
        ("architecture = 'resnet'", "architecture is 'resnet'"),
        ("sha256 = '00'", "tiny.toml says 00"),
        ("batch_norm_epsilon = 0", "batch_norm_epsilon must be between 0 and 1"),
        ("batch_norm_epsilon = nan", "batch_norm_epsilon must be between 0 and 1"),
        ("batch_norm_epsilon = '1e-3'", "batch_norm_epsilon cannot be '1e-3'"),
        ("width_multiplier = true", "width_multiplier cannot be True"),
        ("resolution = true", "resolution cannot be True"),
    ],
)
def test_a_bad_manifest_is_refused(
    checkpoint: Path, tmp_path: Path, manifest: str, reason: str
) -> None:
    checkpoint.with_suffix(".toml").write_text(manifest)
    with pytest.raises(BenchError, match=reason):
        find_weights(str(checkpoint), tmp_path)


def test_a_truncated_checkpoint_is_refused(checkpoint: Path, tmp_path: Path) -> None:
    checkpoint.write_bytes(checkpoint.read_bytes()[:5000])
    with pytest.raises(BenchError, match=r"tiny.pth: not a readable PyTorch state_dict"):
        load_model(TINY, find_weights(str(checkpoint), tmp_path))


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("features.3.conv.1.0.weight", float("nan"), "holds numbers that are not finite"),
        ("classifier.1.bias", float("inf"), "holds numbers that are not finite"),
        ("features.3.conv.1.1.running_var", -1.0, "is negative, and no variance is"),
    ],
)
def test_numbers_that_no_network_can_have_are_refused(
    checkpoint: Path, tmp_path: Path, key: str, value: float, reason: str
) -> None:
    state = torch.load(checkpoint, weights_only=True)
    state[key].view(-1)[0] = value
    torch.save(state, tmp_path / "bad.pth")
    weights = find_weights(f"{tmp_path}/bad.pth", tmp_path)
    with pytest.raises(BenchError, match=f"bad.pth: {key} {reason}"):
        load_model(TINY, weights)


def test_weights_whose_answers_are_not_finite_are_told_so(checkpoint: Path, tmp_path: Path) -> None:
    state = torch.load(checkpoint, weights_only=True)
    state["classifier.1.weight"] *= 1e38
    torch.save(state, tmp_path / "large.pth")
    weights = find_weights(f"{tmp_path}/large.pth", tmp_path)
    with pytest.raises(BenchError, match=r"large\.pth: PyTorch itself puts out \w+ values \(logit"):
        to_onnx(TINY, weights, tmp_path / "cache")


def test_a_file_is_read_as_what_it_is_whatever_its_suffix(checkpoint: Path, tmp_path: Path) -> None:
    copy = tmp_path / "model.safetensors"
    copy.write_bytes(checkpoint.read_bytes())
    load_model(TINY, find_weights(str(copy), tmp_path))


def test_a_pickled_object_is_refused_unexecuted(tmp_path: Path) -> None:
    torch.save(Path, tmp_path / "evil.pth")
    with pytest.raises(BenchError, match=r"evil.pth: holds Python's pathlib.Path and no tensors"):
        load_model(TINY, find_weights(str(tmp_path / "evil.pth"), tmp_path))


def test_a_checkpoint_of_another_network_is_refused(checkpoint: Path, tmp_path: Path) -> None:
    torch.save({"conv1.weight": torch.zeros(3)}, checkpoint)
    with pytest.raises(BenchError, match=r"tiny.pth: its key names are unknown, such as conv1.w"):
        load_model(TINY, find_weights(str(checkpoint), tmp_path))
    torch.save([torch.zeros(3)], checkpoint)
    with pytest.raises(BenchError, match="holds no state_dict"):
        load_model(TINY, find_weights(str(checkpoint), tmp_path))


def test_a_checkpoint_of_another_multiplier_is_refused(checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"of width multiplier 0\.35, not 1\.0"):
        load_model(parse_variant("mobilenet_v2_1.0_32"), find_weights(str(checkpoint), tmp_path))


def test_a_hash_after_a_path_is_checked(checkpoint: Path, tmp_path: Path) -> None:
    weights = find_weights(str(checkpoint), tmp_path)
    assert find_weights(weights.pinned_source, tmp_path) == weights
    checkpoint.write_bytes(b"\0 another file")
    with pytest.raises(BenchError, match="the hash asked for says"):
        find_weights(weights.pinned_source, tmp_path)


@pytest.fixture
def server(checkpoint: Path) -> Iterator[str]:
    """Serve the checkpoint's directory over HTTP; return its address."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args: object) -> None:
            super().__init__(*args, directory=str(checkpoint.parent))  # type: ignore[arg-type]

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as served:
        thread = threading.Thread(target=served.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{served.server_port}/tiny.pth"
        served.shutdown()
        thread.join()


def test_a_url_is_fetched_once_and_its_hash_checked(
    server: str, checkpoint: Path, tmp_path: Path
) -> None:
    url = f"{server}#sha256={sha256(checkpoint)}"
    first = find_weights(url, tmp_path / "cache")
    checkpoint.unlink()
    assert find_weights(url, tmp_path / "cache") == first
    assert same(load_model(TINY, first), load_model(TINY, Weights(seed=7)))


@pytest.mark.parametrize(
    ("suffix", "reason"),
    [
        ("", "append #sha256=HASH"),
        ("#sha256=12", "append #sha256=HASH"),
        (f"#sha256={'0' * 64}", "hash"),
    ],
)
def test_a_url_without_the_right_hash_is_refused(
    server: str, tmp_path: Path, suffix: str, reason: str
) -> None:
    with pytest.raises(BenchError, match=reason):
        find_weights(server + suffix, tmp_path / "cache")
    assert not list((tmp_path / "cache").rglob("*.pth"))


@pytest.mark.parametrize(
    "address", ["http://[::1", "http://127.0.0.1:port/x.pth", "http://127.0.0.1/a model.pth"]
)
def test_an_invalid_address_is_refused(tmp_path: Path, address: str) -> None:
    with pytest.raises(BenchError, match=r"^checkpoint "):
        find_weights(f"{address}#sha256={'0' * 64}", tmp_path)


def test_a_hash_may_be_written_in_capitals(server: str, checkpoint: Path, tmp_path: Path) -> None:
    digest = sha256(checkpoint).upper()
    for source in (f"{checkpoint}#sha256={digest}", f"{server}#sha256={digest}"):
        assert find_weights(source, tmp_path / "cache").sha256 == digest.lower()


def test_an_address_that_does_not_answer_is_refused(server: str, tmp_path: Path) -> None:
    missing = server.replace("tiny", "missing")
    with pytest.raises(BenchError, match="404"):
        find_weights(f"{missing}#sha256={'0' * 64}", tmp_path / "cache")


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"\x08\x0aQuantizeLinear", r"is a quantized ONNX network; .* --precision int8"),
        (b"\x08\x0aConv", "is an ONNX network"),
    ],
)
def test_an_onnx_network_is_no_checkpoint(tmp_path: Path, content: bytes, what: str) -> None:
    path = tmp_path / "network.onnx"
    path.write_bytes(content)
    with pytest.raises(BenchError, match=what):
        find_weights(str(path), tmp_path)


def test_a_manifest_names_the_classes(tmp_path: Path) -> None:
    variant = parse_variant("mobilenet_v2_0.35_32_c3")
    save_checkpoint(tmp_path / "a.pth", variant, 'classes = ["cat", "dog ", "bird"]')
    weights = find_weights(str(tmp_path / "a.pth"), tmp_path)
    assert weights.class_names == ("cat", "dog", "bird")
    assert weights.classes == 3


@pytest.mark.parametrize(
    ("classes", "reason"),
    [
        ('["cat"]', "classes has 1 names, the checkpoint tells 3 classes apart"),
        ('["cat", 1, 2]', "classes is not a number, nor a list of names"),
        ('["cat", "dog", ""]', "classes is not a number, nor a list of names"),
        ("0", "classes must be above 0"),
    ],
)
def test_other_names_of_classes_are_refused(tmp_path: Path, classes: str, reason: str) -> None:
    variant = parse_variant("mobilenet_v2_0.35_32_c3")
    with pytest.raises(BenchError, match=reason):
        save_checkpoint(tmp_path / "a.pth", variant, f"classes = {classes}")
