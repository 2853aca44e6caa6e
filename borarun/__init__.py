"""borarun: order-disorder transitions and ionic conductivity of solid electrolytes, from one study
file.
"""

__version__ = "0.1.0"
