"""A section of Documentation/performance.md that a benchmark writes, between two markers."""

FILE = "Documentation/performance.md"


def write(root, text, begin, end):
    """Replaces the section between the markers; adds it at the end where there is none."""
    file = root / FILE
    old = file.read_text() if file.exists() else "# Performance\n"
    if begin in old and end in old:
        before, after = old.split(begin, 1)[0], old.split(end, 1)[1]
    else:
        before, after = old.rstrip("\n") + "\n\n", "\n"
    file.write_text(before + text + after)
    return file
