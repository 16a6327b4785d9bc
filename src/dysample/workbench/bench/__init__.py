"""The speed and memory benchmark: rows are checked, timed, and written as JSON Lines.

`workloads` says what is measured; `cases` and `baselines` build it, `check` compares it with
float64, `timer` and `memory` measure it, `measure` puts the rows together, `run` starts a process
for each malloc regime, `results` and `table` keep and show what came out.
"""
