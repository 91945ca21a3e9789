"""What a build is made for."""

LATENCY, MEMORY = "latency", "memory"
OBJECTIVES = (LATENCY, MEMORY)
