"""What reads bytes from outside, asked with bytes that nobody meant to send.

`make test` tries some made by hypothesis, and all that were ever found; `make fuzz MINUTES=10` looks for more, led by coverage.
"""
