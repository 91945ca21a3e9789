"""What models of processors predict for the kernels of a network, without a device."""
