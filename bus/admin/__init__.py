"""``zeropit admin``: what an operator asks of a venue from a terminal, through a gateway like any client.

Not part of the SDK wheel, whose packages are named one by one: it needs click and rich.
"""
