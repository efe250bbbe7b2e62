"""What any program needs: console, signals, devices, workers, several processes."""
