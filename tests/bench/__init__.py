"""Speed, as ratios to bare floors of the same machine in the same run: `make bench`."""
