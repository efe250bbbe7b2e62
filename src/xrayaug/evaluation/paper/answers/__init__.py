"""Answers to items of checklists: each a function of the facts, with the manifests that it was taken from.

A function returns nothing where no manifest holds the answer; the item is then left to the authors.
"""
