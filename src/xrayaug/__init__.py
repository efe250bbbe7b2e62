"""xrayaug: would synthetic images make my radiograph classifier better, and can I trust the answer?"""

__version__ = "0.1.0"
