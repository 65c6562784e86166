"""The desk: what people do about the floor, and what is kept of it in the monitor's database."""
