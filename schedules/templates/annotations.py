"""What a schedule notes about a loop for the passes that come after it."""

SKIPPABLE = "mobilebench.skippable"
"""Annotation of a loop: what it reads is zero wherever its conditions do not hold, read or not."""
BORDERS = "mobilebench.borders"
"""Annotation of a loop: only some of its iterations, at borders, need its conditions."""
