"""
The report as one page: HTML with figures, Markdown, and one tidy CSV.

summary -> intervals -> sections, which are lists of `blocks`; `html` and `markdown` write the same
blocks. Figures are drawn by matplotlib as SVG, whose colours `figure` turns into variables of the
page's style, so that they follow light and dark.
"""
