"""What the operators with templates compute, whatever the processor."""
