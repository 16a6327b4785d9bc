"""The speed and memory benchmark: rows are checked, timed, and written as JSON Lines.

`workloads` says what is measured; `cases` builds it, `check` compares it with float64, `measure`
times it and puts the rows together, `run` starts a process for each malloc regime and keeps the
rows, `table` shows them.
"""
