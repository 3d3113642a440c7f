"""Personal data: exported, erased, forgotten."""
