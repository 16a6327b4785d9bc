"""Where the runs of a comparison are done."""
