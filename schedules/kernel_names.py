"""What kernels without a template are called in reports."""

FOREIGN = "other "  # and the function's name
