"""How the service is put together: a part for each matter, all of them on one core."""
