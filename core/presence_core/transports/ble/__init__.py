"""Sessions over Bluetooth LE: fragments, GATT, and one backend for each operating system."""
