"""What weights and activations are stored in, and computed in unless it is said otherwise."""

FLOAT32, FLOAT16, INT8 = "float32", "float16", "int8"
PRECISIONS = (FLOAT32, FLOAT16, INT8)
