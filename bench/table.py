# SPDX-License-Identifier: Apache-2.0
"""The table of benchmark rows, and its JSON. A row is a dictionary of FIELDS, besides the extremes of
the ratio; None: there is none (of holds: there is no goal; of value: it is not built yet)."""

import json

FIELDS = ("row", "name", "value", "unit", "baseline", "ratio", "goal", "holds")
VERDICTS = {True: "yes", False: "NO", None: ""}


def number(value, unit=""):
    if value is None:
        return "-"
    return f"{value:.2f} {unit}".rstrip()


def span_of(row):
    if row.get("ratio_min") is None or row["ratio_min"] == row["ratio_max"]:
        return ""
    return f"{row['ratio_min']:.2f}-{row['ratio_max']:.2f}"


def lines_of(rows):
    lines = [("row", "what", "value", "baseline", "ratio", "min-max", "goal", "holds")]
    for row in rows:
        lines.append((row["row"], row["name"], number(row["value"], row["unit"]),
                      number(row["baseline"], row["unit"]), number(row["ratio"]), span_of(row),
                      row["goal"], VERDICTS[row["holds"]]))
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return ["  ".join(text.ljust(width) for text, width in zip(line, widths)).rstrip()
            for line in lines]


def publish(rows, missing, output):
    """Prints the table, headed by what is missing from it, and writes its JSON."""
    if missing:
        print("INCOMPLETE: not measured here: " + ", ".join(missing))
    print("\n".join(lines_of(rows)), flush=True)
    output.write_text(json.dumps([{field: row[field] for field in FIELDS} for row in rows],
                                 indent=2) + "\n")
