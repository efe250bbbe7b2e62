"""Basics of any program: console, signals, devices, parallel work, several processes."""
