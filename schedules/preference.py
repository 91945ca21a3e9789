"""What a build is made for."""

LATENCY, MEMORY = "latency", "memory"
PREFERENCES = (LATENCY, MEMORY)
