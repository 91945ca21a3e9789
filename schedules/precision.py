"""What weights are stored in, and on GPUs activations too."""

FLOAT32, FLOAT16 = "float32", "float16"
PRECISIONS = (FLOAT32, FLOAT16)
