"""
Read a result file, write a table and figures.

records -> summary -> table (with its wording) and figures. The result file is the only input:
nothing here imports the workbench that wrote it, so every table and figure can be redrawn
without the machine that computed it. `report.write_report` does everything at once.
"""
