"""
The drawing kit of report, look and docs.

`palette` holds every colour. `sheet` is a figure of panels as PNG, `canvas` a chart as SVG that
follows the page around it. `class_maps` and `offsets` make pictures of labels and of sampling
points; `intervals` draws differences with their intervals. Nothing here knows what is reported.
"""
