from mobilebench.bench.models.heads import detector_of
from mobilebench.bench.models.variant import parse_variant


def test_a_detector_predicts_on_six_feature_maps() -> None:
    detector = detector_of(parse_variant("ssdlite_mobilenet_v2_1.0_320"))
    places = [(one.channels, one.height, one.anchors) for one in detector.predictions]
    first, second = (576, 20, 3), (1280, 10, 6)
    assert places == [first, second, (512, 5, 6), (256, 3, 6), (256, 2, 6), (128, 1, 6)]
    assert detector.anchors == 2034
