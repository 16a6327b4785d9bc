"""
The report as one page: HTML with figures, Markdown, and every number as CSV.

summary -> intervals -> sections, which make the parts of a page (`blocks`) that templates write.
Figures are drawn by matplotlib as SVG, whose colours `figure` turns into variables of the page's
style, so that they follow light and dark.
"""
