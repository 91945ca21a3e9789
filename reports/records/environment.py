"""With what a row was measured: columns of records, by the names that reports have for them."""

VERSIONS = {
    "commit": "git_commit",
    "TVM": "tvm_version",
    "tvm-ffi": "tvm_ffi_version",
    "PyTorch": "torch_version",
    "ONNX": "onnx_version",
    "Python": "python_version",
    "kernel": "os",
    "accelerator's driver": "accelerator_driver",
}
SETTINGS = {"effort": "effort", "weights": "weights"}
PARTS = {"CPU": "cpu_model", "governor": "cpu_governor", "accelerator": "accelerator"}
STATE = {
    "host": "host",
    "usable CPUs": "cpu_cores",
    "frequency, MHz": "cpu_mhz",
    "temperature, °C": "temperature_c",
    "load, 1 min": "load_1m",
    "calibration kernel, ms": "calibration_before_ms",
}
