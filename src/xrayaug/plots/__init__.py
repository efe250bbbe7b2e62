"""Figures, drawn with matplotlib; equal numbers give equal bytes."""
