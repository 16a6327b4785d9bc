"""A campaign of bad input, signals, full disks and foreign requests: `make attack`."""
