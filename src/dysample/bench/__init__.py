"""Speed of the upsamplers: entries as data, one timer, one line of JSON a measurement."""
